"""States of a circuit, beside Qiskit's one by one: values, global phase and derivatives."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import RXGate, UnitaryGate
from qiskit.quantum_info import Statevector, random_unitary

from qvlm_qiskit.errors import CapacityError, CircuitError, InputError
from qvlm_qiskit.quantum import AmplitudeEncoding, states
from qvlm_qiskit.quantum.readings import final_states as module
from qvlm_qiskit.quantum.statevector import engine
from tests.quantum.problems import PARAMETERS, circuits


def slow_states(circuit, rows):
    return np.array([Statevector(circuit.assign_parameters(row)).data for row in rows])


def check_states(circuit, seed):
    rng = np.random.default_rng(seed)
    rows = rng.uniform(-1.5, 1.5, (3, circuit.num_parameters))
    expected = slow_states(circuit, rows)
    given_rows = torch.as_tensor(rows).requires_grad_()
    found = states(circuit, given_rows)
    np.testing.assert_allclose(found.detach(), expected, atol=1e-10, rtol=0)
    # a function of the states that their phases matter to
    outer = torch.as_tensor(rng.normal(size=expected.shape) + 1j * rng.normal(size=expected.shape))
    if circuit.num_parameters:
        (found * outer).real.sum().backward()
        step = 1e-6
        for column in range(circuit.num_parameters):
            shift = step * np.eye(circuit.num_parameters)[column]
            slope = slow_states(circuit, rows + shift) - slow_states(circuit, rows - shift)
            wanted = (slope * outer.numpy()).real.sum(1) / (2 * step)
            np.testing.assert_allclose(given_rows.grad[:, column], wanted, atol=1e-6, rtol=0)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(circuit=circuits(max_gates=8), seed=st.integers(0, 1000))
def test_states_and_slopes_are_those_of_the_slow_twin(circuit, seed):
    check_states(circuit, seed)


@pytest.mark.slow
@settings(max_examples=100, deadline=None, derandomize=True)
@given(circuit=circuits(max_qubits=5, max_gates=20), seed=st.integers(0, 1000))
def test_states_and_slopes_are_those_of_the_slow_twin_on_many_circuits(circuit, seed):
    check_states(circuit, seed)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(circuit=circuits(max_gates=8), seed=st.integers(0, 1000))
def test_torch_operations_give_the_same(circuit, seed):
    rows = np.random.default_rng(seed).uniform(-1.5, 1.5, (2, circuit.num_parameters))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "MAX_SWEEP_QUBITS", -1)
        found = states(circuit, rows)
    np.testing.assert_allclose(found, slow_states(circuit, rows), atol=1e-10, rtol=0)


def phased(angle):
    """A gate whose definition has a global phase."""
    inner = QuantumCircuit(1, global_phase=angle, name="phased")
    inner.rx(0.3, 0)
    return inner.to_gate()


def test_global_phases_of_circuits_and_definitions_count():
    x = Parameter("x")
    for angle in (0.4, 1.1, x):
        circuit = QuantumCircuit(1, global_phase=0.2 * x)
        circuit.append(phased(angle), [0])
        np.testing.assert_allclose(
            states(circuit, [[0.7]]), slow_states(circuit, [[0.7]]), atol=1e-12
        )


def test_idle_qubits_stay_in_zero_wherever_they_are():
    circuit = QuantumCircuit(5)
    circuit.h(1)
    circuit.crx(0.7, 1, 3)
    np.testing.assert_allclose(states(circuit), Statevector(circuit).data, atol=1e-12)
    nothing = QuantumCircuit(3)
    np.testing.assert_allclose(states(nothing), Statevector(nothing).data, atol=1e-12)


def test_loaded_amplitudes_and_large_gates():
    theta = ParameterVector("t", 7)
    circuit = QuantumCircuit(3)
    circuit.append(AmplitudeEncoding(theta), range(3))
    circuit.append(UnitaryGate(random_unitary(8, seed=1)), range(3))
    rows = np.random.default_rng(1).uniform(-1, 1, (2, 7))
    np.testing.assert_allclose(states(circuit, rows), slow_states(circuit, rows), atol=1e-12)


@pytest.mark.parametrize("size", [1, 20])
def test_shapes_and_precisions_are_those_of_the_values(size):
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(6)
    circuit.ry(x[0], 0)
    circuit.cx(0, 4)
    circuit.p(x[1], 4)
    rows = torch.rand(size, 3, 2)
    for dtype, wanted in ((torch.float64, torch.complex128), (torch.float32, torch.complex64)):
        found = states(circuit, rows.to(dtype))
        assert found.shape == (size, 3, 64)
        assert found.dtype == wanted
    expected = slow_states(circuit, rows.reshape(-1, 2).double().numpy())
    np.testing.assert_allclose(found.reshape(-1, 64), expected, atol=1e-6)
    assert states(circuit, torch.rand(2, dtype=torch.bfloat16)).dtype == torch.complex64
    assert states(circuit, [0.1, 0.2]).dtype == torch.complex128
    assert states(circuit, torch.zeros(0, 2)).shape == (0, 64)


def test_second_derivatives_and_transforms():
    x = Parameter("x")
    circuit = QuantumCircuit(2)
    circuit.ry(x, 0)
    circuit.p(x * x, 0)
    circuit.cx(0, 1)

    def overlap(value):
        return states(circuit, value[None])[3].real

    value = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    # the amplitude of |11> is sin(x/2) cos(x²)
    assert torch.autograd.gradcheck(overlap, value)
    assert torch.autograd.gradgradcheck(overlap, value)
    mapped = torch.func.vmap(torch.func.grad(overlap))(value.detach().expand(3))
    once = torch.autograd.grad(overlap(value), value)[0]
    torch.testing.assert_close(mapped, once.expand(3))


def test_a_circuit_changed_in_place_is_another_one():
    circuit = QuantumCircuit(1)
    circuit.h(0)
    states(circuit)
    circuit.global_phase = 0.3
    circuit.append(RXGate(0.1), [0])
    np.testing.assert_allclose(states(circuit), Statevector(circuit).data, atol=1e-12)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([[0.1]], r"expected values \(…, 2\)"),
        (0.3, "rows of real numbers"),
        ([[0.1, 0.2j]], "rows of real numbers"),
        ([[0.1, 0.2], [0.3]], "rows of real numbers"),
        ([[0.1, 0.2], [np.nan, 0.0]], "row 1 of the values holds NaN"),
        (torch.zeros(1, 2, dtype=torch.int64), "rows of real numbers, got int64"),
    ],
)
def test_values_that_fit_no_circuit_are_refused_in_one_line(values, words):
    x = ParameterVector("x", 2)
    circuit = QuantumCircuit(1)
    circuit.u(x[0], x[1], 0.1, 0)
    with pytest.raises(InputError, match=words) as caught:
        states(circuit, values)
    assert "\n" not in str(caught.value)


def test_what_has_no_state_is_refused():
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    with pytest.raises(CircuitError, match="measure"):
        states(circuit)
    with pytest.raises(CapacityError, match="80 qubits"):
        states(QuantumCircuit(80))


def test_more_rows_than_memory_holds_are_refused_before_anything_runs(monkeypatch):
    monkeypatch.setattr(module, "memory_bytes", lambda: 2**20)
    circuit = QuantumCircuit(10)
    circuit.ry(PARAMETERS[0], 0)
    with pytest.raises(CapacityError, match="100 states of 10 qubits"):
        states(circuit, np.zeros((100, 1)))
