"""Another simulator's states, Qiskit's here, through this package's read-out and sweep."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Operator, Pauli, SparsePauliOp, Statevector

from qvlm_qiskit.errors import BackendError, CircuitError, InputError
from qvlm_qiskit.quantum import AmplitudeEncoding
from qvlm_qiskit.quantum.program.angles import AngleTable
from qvlm_qiskit.quantum.program.operations import PauliRotation
from qvlm_qiskit.quantum.program.program import Program, compile_circuit
from qvlm_qiskit.quantum.statevector.simulated import SimulatedEngine, circuit_of
from tests.quantum.problems import PARAMETERS, X, problems


def simulate(circuit, parameters, values):
    """One bound circuit and one `Statevector` at a time."""
    return np.stack(
        [
            Statevector(circuit.assign_parameters(dict(zip(parameters, row, strict=True)))).data
            for row in values
        ]
    )


def engine(circuit, observables, run=simulate, parameters=PARAMETERS):
    return SimulatedEngine(circuit, observables, parameters, len(X), run, "a simulator")


def small(run=simulate):
    circuit = QuantumCircuit(2)
    circuit.ry(PARAMETERS[0], 0)
    circuit.p(PARAMETERS[2], 0)
    circuit.cx(0, 1)
    return engine(circuit, [SparsePauliOp(["ZX", "YY"], [0.5, 1.0])], run)


ROWS = torch.tensor([[0.3, -1.0], [2.0, 0.1], [-0.7, 0.4]], dtype=torch.float64)
WEIGHTS = torch.tensor([0.9, -0.2], dtype=torch.float64)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(problem=problems(max_qubits=3, max_gates=8, batches=(1, 3)))
def test_values_and_gradients_equal_the_slow_twin(problem, twin, twin_jacobian):
    circuit, observables, rows = problem
    made = engine(circuit, observables)
    inputs = torch.as_tensor(rows[:, : len(X)]).requires_grad_()
    weights = torch.as_tensor(rows[0, len(X) :]).requires_grad_()
    values = made.expectations(inputs, weights)
    found = values.detach().numpy()
    np.testing.assert_allclose(found, twin(circuit, observables, rows, PARAMETERS), atol=1e-10)
    seeds = np.random.default_rng(0).normal(size=values.shape)
    values.backward(torch.as_tensor(seeds))
    jacobians = [twin_jacobian(circuit, observables, row, PARAMETERS) for row in rows]
    slopes = np.einsum("bo,bop->bp", seeds, np.stack(jacobians))
    np.testing.assert_allclose(inputs.grad.numpy(), slopes[:, : len(X)], atol=1e-6)
    np.testing.assert_allclose(weights.grad.numpy(), slopes[:, len(X) :].sum(axis=0), atol=1e-6)


@pytest.mark.parametrize("paulis", ["X", "Y", "Z", "XX", "YY", "ZZ", "XZ", "YX", "ZYX", "YZY"])
def test_a_rotation_about_any_string_has_the_phase_of_its_exponential(paulis):
    letters = paulis[::-1]  # qubit 0 first
    x = sum(1 << q for q, letter in enumerate(letters) if letter in "XY")
    z = sum(1 << q for q, letter in enumerate(letters) if letter in "ZY")
    size = len(paulis)
    program = Program(size, size, tuple(range(size)), [PauliRotation(x, z, 0)], AngleTable(1))
    circuit, _, _ = circuit_of(program)
    bound = circuit.assign_parameters([0.7])
    string = Pauli(paulis).to_matrix()
    exact = np.cos(0.35) * np.eye(len(string)) - 1j * np.sin(0.35) * string
    np.testing.assert_allclose(Operator(bound).data, exact, atol=1e-12)


def test_portions_give_the_same_values_and_gradients(monkeypatch):
    def values_and_gradients():
        rows, weights = (t.clone().requires_grad_() for t in (ROWS, WEIGHTS))
        values = small().expectations(rows, weights)
        values.square().sum().backward()
        return values.detach(), rows.grad, weights.grad

    whole = values_and_gradients()
    monkeypatch.setattr("qvlm_qiskit.quantum.statevector.simulated.AMPLITUDES", 4)
    for one, other in zip(whole, values_and_gradients(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-14, rtol=0)


def test_a_second_backward_pass_finds_the_same_states():
    weights = WEIGHTS.clone().requires_grad_()
    total = small().expectations(ROWS, weights).sum()
    first = torch.autograd.grad(total, weights, retain_graph=True)[0]
    torch.testing.assert_close(torch.autograd.grad(total, weights)[0], first, atol=0, rtol=0)


def test_no_rows_and_a_circuit_without_parameters():
    assert small().expectations(ROWS[:0], WEIGHTS).shape == (0, 1)
    fixed = QuantumCircuit(2)
    fixed.h(0)
    found = engine(fixed, [SparsePauliOp("IX")]).expectations(ROWS, WEIGHTS)
    torch.testing.assert_close(found, torch.ones(3, 1, dtype=torch.float64))
    nothing = engine(QuantumCircuit(2), [SparsePauliOp("ZZ")]).expectations(ROWS, WEIGHTS)
    torch.testing.assert_close(nothing, torch.ones(3, 1, dtype=torch.float64))


def shortened(circuit, parameters, values):
    return simulate(circuit, parameters, values) * (1 - 1e-5)


def turned(circuit, parameters, values):
    """A state of norm 1 that is not the circuit's: what multi-GPU simulators have given."""
    return np.roll(simulate(circuit, parameters, values), 1, axis=1)


@pytest.mark.parametrize(
    ("wrong", "says"), [(shortened, "norms 0.99999"), (turned, "away from this package's own")]
)
def test_wrong_states_are_noticed(wrong, says):
    with pytest.raises(BackendError, match=says):
        small(wrong).expectations(ROWS, WEIGHTS)


def test_what_can_not_be_differentiated_is_refused():
    made = small()
    with pytest.raises(InputError, match="only backward"):
        torch.func.vmap(lambda row: made.expectations(row[None], WEIGHTS))(ROWS)
    weights = WEIGHTS.clone().requires_grad_()
    (slope,) = torch.autograd.grad(made.expectations(ROWS, weights).sum(), weights)
    assert slope is not None
    with pytest.raises(InputError, match="second derivative"):
        torch.autograd.grad(made.expectations(ROWS, weights).sum(), weights, create_graph=True)
    load = QuantumCircuit(1)
    load.append(AmplitudeEncoding([PARAMETERS[0]]), [0])
    assert compile_circuit(load, PARAMETERS).operations
    with pytest.raises(CircuitError, match="compiled to gates"):
        engine(load, [SparsePauliOp("Z")], parameters=[*PARAMETERS, Parameter("more")])
