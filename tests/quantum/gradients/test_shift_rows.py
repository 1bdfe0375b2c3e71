"""Which rows are sent, and every way in which a parameter enters their angles."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit_aer.primitives import EstimatorV2 as AerEstimator
from qiskit_machine_learning.gradients import ParamShiftEstimatorGradient
from qiskit_machine_learning.primitives import QMLEstimator

from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.quantum import TorchEstimator
from qvlm_qiskit.quantum.gradients.batched import BatchedEstimatorGradient
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine
from tests.quantum.gradients.three_qubits import OBSERVABLES, P, gradients


def expressions():
    """Shared parameters, and every shape of expression that the layers use."""
    circuit = QuantumCircuit(3)
    circuit.h(range(3))
    circuit.p(2 * (np.pi - P[0]) * (np.pi - P[1]), 1)
    circuit.ry(2 * P[2] * P[0], 0)
    circuit.rx(P[0].sin() + P[2], 2)
    circuit.cx(0, 1)
    circuit.crz(P[3] / 3 - 0.2, 1, 2)
    circuit.ry(P[2], 1)
    circuit.ry(P[2], 2)
    circuit.rzz(P[1] ** 2, 0, 2)
    circuit.u(P[3], 0.3, -P[0], 0)
    return circuit


ESTIMATORS = {"qml": QMLEstimator, "statevector": StatevectorEstimator, "aer": AerEstimator}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_shared_parameters_and_expressions(name, twin_jacobian):
    circuit = expressions()
    values = np.random.default_rng(5).uniform(0.2, 2, (2, 4))
    got = gradients(circuit, values, ESTIMATORS[name]())
    for i, row in enumerate(values):
        np.testing.assert_allclose(got[:, i], twin_jacobian(circuit, OBSERVABLES, row), atol=1e-6)


KINDS = ("rx", "ry", "rz", "p", "rxx", "rzz", "rzx", "crx", "cry", "crz", "cp", "u")


TWO_QUBIT = {"rxx", "rzz", "rzx", "crx", "cry", "crz", "cp"}


def random_circuit(seed):
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(3)
    for _ in range(7):
        kind = rng.choice(KINDS)
        a, b, c = (P[i] for i in rng.integers(0, 4, 3))
        angle = [a, 2 * a - b, a * b + 0.1, a.cos() + c, -a / 2][rng.integers(5)]
        qubits = [int(q) for q in rng.permutation(3)[: 2 if kind in TWO_QUBIT else 1]]
        arguments = [angle, b, c] if kind == "u" else [angle]
        getattr(circuit, kind)(*arguments, *qubits)
        circuit.cx(*(int(q) for q in rng.permutation(3)[:2]))
        circuit.h(int(rng.integers(3)))
    return circuit, rng.uniform(-3, 3, circuit.num_parameters)


@pytest.mark.slow
@settings(max_examples=4, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_random_circuits_agree_with_stock(seed):
    circuit, row = random_circuit(seed)
    request = ([circuit] * 2, OBSERVABLES, [row] * 2)
    theirs = ParamShiftEstimatorGradient(QMLEstimator()).run(*request).result().gradients
    for estimator in (QMLEstimator(), AerEstimator()):
        ours = gradients(circuit, [row], estimator)[:, 0]
        np.testing.assert_allclose(ours, theirs, atol=1e-8)


def test_parameters_in_any_order_and_number():
    circuit = expressions()
    values = np.random.default_rng(6).uniform(0.2, 2, (2, 4))
    everything = gradients(circuit, values)
    chosen = [P[3], P[1], P[3]]
    np.testing.assert_allclose(
        gradients(circuit, values, parameters=chosen), everything[..., [3, 1, 3]], atol=1e-12
    )


def test_rows_are_two_per_angle_and_four_per_controlled_rotation(counting_statevector):
    circuit = QuantumCircuit(3)
    circuit.rx(P[0], 0)
    circuit.cp(P[0], 0, 1)  # 2, where Pauli rotations would need 6
    circuit.crx(P[1], 0, 1)  # 4
    circuit.u(P[2], 0.1, P[2], 1)  # 2 + 2
    circuit.ry(0.7, 2)
    gradients(circuit, [[0.1, 0.2, 0.3]], counting_statevector)
    gradients(circuit, [[0.1, 0.2, 0.3]], counting_statevector, [P[1]])
    sent = [len(pubs[0][2].as_array()) for pubs, _ in counting_statevector.calls]
    assert sent == [2 + 2 + 4 + 4, 4]


def test_angles_with_slope_zero_are_not_shifted(counting_statevector):
    circuit = QuantumCircuit(3)
    circuit.ry(0.4 + (np.pi - P[0]) * (np.pi - P[1]), 0)
    got = gradients(circuit, [[np.pi, np.pi], [np.pi, 1.0]], counting_statevector)
    assert np.all(got[:, 0] == 0)
    assert np.all(got[:, 1, 1] == 0)
    assert abs(got[0, 1, 0]) > 0.1
    assert counting_statevector.calls[0][0][0][2].shape == (2,)


V, W = ParameterVector("v", 2)


EXPRESSIONS = {
    "constant slope, pole at 0": (2 * V).log() - V.log() + W,
    "a·a/a": V * V / V,
    "exp(log a)": V.log().exp(),
    "cancelled": V**0.5 * V**-0.5 + W - W,
    "power of a number": 2**V - 1.5 ** (-W),
    "power of a power": (2 * V * W) ** ((1.5 + W) * (V - W)),
    "quotient of powers": V.arccos() ** (V * V) / (W**V + V * W),
    "sign and abs": V.sign() * W + abs(V - 1),
    "trigonometric": V.sin() * W.arctan() - (V * W).cos() + V.tan() * W.arcsin(),
    "complex on the way": ((V - 1) ** 0.5) ** 2 * W,
}


@pytest.mark.parametrize("name", EXPRESSIONS)
@pytest.mark.parametrize("method", ["param_shift", "adjoint", "autograd"])
def test_gradients_of_any_expression_are_finite_differences(name, method, twin_jacobian):
    circuit = QuantumCircuit(3)
    for angle in (EXPRESSIONS[name], W / 2, EXPRESSIONS[name] / 3):
        circuit.rx(angle, 0)
        circuit.cry(angle, 0, 1)
    rows = np.array([[0.3, 0.4], [0.7, 0.2]])[:, : circuit.num_parameters]
    if method == "autograd":
        engine = StatevectorEngine(compile_circuit(circuit), OBSERVABLES, rows.shape[1])
        jacobian = torch.func.jacrev if name != "complex on the way" else plain_jacobian
        none = torch.zeros(0, dtype=torch.float64)
        found = [
            jacobian(lambda x: engine.expectations(x[None], none)[0])(row)
            for row in torch.as_tensor(rows)
        ]
        found = torch.stack(found, dim=1)
    else:
        entries = [(o, row) for o in OBSERVABLES for row in rows]
        gradient = BatchedEstimatorGradient(TorchEstimator(dtype="complex128"), method)
        observables, values = zip(*entries, strict=True)
        result = gradient.run([circuit] * len(entries), observables, values).result()
        found = np.reshape(result.gradients, (len(OBSERVABLES), len(rows), -1))
    expected = [twin_jacobian(circuit, OBSERVABLES, row) for row in rows]
    np.testing.assert_allclose(found, np.stack(expected, axis=1), atol=1e-6)


def plain_jacobian(function):
    return lambda row: torch.autograd.functional.jacobian(function, row)


def test_angles_that_are_not_real_are_refused():
    circuit = QuantumCircuit(3)
    circuit.ry(Parameter("s") * 1j, 0)
    with pytest.raises(CircuitError, match="real"):
        gradients(circuit, [[0.1]])
