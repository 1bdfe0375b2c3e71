import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import RXGate
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import SparsePauliOp
from qiskit_machine_learning.primitives import QMLEstimator

from qvlm_qiskit.quantum import TorchEstimator
from qvlm_qiskit.quantum.gradients.batched import BatchedEstimatorGradient
from qvlm_qiskit.quantum.gradients.request import split_request
from tests.quantum.gradients.requests import (
    VALUES,
    XX,
    Z0,
    Z1,
    A,
    B,
    assert_same,
    rows_sent,
    stock,
    two_qubits,
)


def other_circuit():
    circuit = QuantumCircuit(2)
    circuit.rx(B[0], 0)
    circuit.crx(B[1], 0, 1)
    return circuit


def test_mixed_circuits_make_one_pub_each_and_keep_their_places(counting_statevector):
    first, second = two_qubits(), other_circuit()
    request = (
        [first, second, first, second, first],
        [Z0, XX, XX, Z1, Z0],
        [VALUES[0], [0.3, 0.4], VALUES[1], [0.3, 0.4], VALUES[0]],
        [None, [B[1], B[0]], [A[2], A[0]], None, []],
    )
    ours = BatchedEstimatorGradient(counting_statevector).run(*request).result()
    # two vectors × four angles × 2, but the second vector is not asked for A[1]; 2 + 4
    assert rows_sent(counting_statevector.calls) == [(14,), (6,)]
    assert ours.gradients[4].shape == (0,)
    assert ours.metadata[1]["parameters"] == [B[1], B[0]]
    # stock fails on an empty list of parameters
    rest = tuple(column[:4] for column in request)
    theirs = stock(rest)
    for mine, other in zip(ours.gradients[:4], theirs.gradients, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-8)


def test_equal_circuits_share_a_pub_and_unequal_ones_do_not(counting_statevector):
    different = two_qubits()
    different.data[2] = different.data[2].replace(qubits=different.qubits[::-1])
    circuits = [two_qubits(), two_qubits(), different]
    request = (circuits, [XX] * 3, [VALUES[0]] * 3)
    ours = BatchedEstimatorGradient(counting_statevector).run(*request).result()
    assert rows_sent(counting_statevector.calls) == [(8,), (8,)]
    assert_same(ours, stock(request))
    assert np.abs(ours.gradients[0] - ours.gradients[2]).max() > 0.1


def test_circuits_that_print_alike_are_not_confused():
    """The keys of stock's caches are texts; ours are not."""
    circuits = []
    for sign in (1, -1):
        inner = QuantumCircuit(1, name="block")
        inner.ry(sign * A[0], 0)
        circuit = QuantumCircuit(1)
        circuit.h(0)
        circuit.append(inner.to_gate(), [0])
        circuits.append(circuit)
    gradient = BatchedEstimatorGradient(StatevectorEstimator())
    result = gradient.run(circuits, [SparsePauliOp("X")] * 2, [[0.3]] * 2).result()
    np.testing.assert_allclose(result.gradients, [[-np.sin(0.3)]] * 2, atol=1e-12)
    result = gradient.run(circuits, [SparsePauliOp("Z")] * 2, [[0.3]] * 2).result()
    np.testing.assert_allclose(result.gradients, [[-np.cos(0.3)], [np.cos(0.3)]], atol=1e-12)


def test_observables_that_differ_slightly_are_told_apart():
    near = SparsePauliOp(["IZ"], [1.0 + 5e-6])
    assert near == Z0  # what Qiskit calls equal
    request = ([two_qubits()] * 2, [Z0, near], [VALUES[0]] * 2)
    first, second = BatchedEstimatorGradient(QMLEstimator()).run(*request).result().gradients
    np.testing.assert_allclose(second, first * (1.0 + 5e-6), rtol=1e-10)


def test_a_circuit_changed_in_place_is_built_again():
    circuit = two_qubits()
    gradient = BatchedEstimatorGradient(StatevectorEstimator())
    request = ([circuit], [XX], [VALUES[0]])
    before = gradient.run(*request).result().gradients[0]
    circuit.h(0)
    after = gradient.run(*request).result()
    assert np.abs(before - after.gradients[0]).max() > 0.1
    assert_same(after, stock(request))


def test_equal_vectors_are_sent_once(counting_statevector):
    values = np.array([[0.0, 1.0, 2.0], [-0.0, 1.0, 2.0], [0.0, 1.0, 2.0]])
    request = ([two_qubits()] * 3, [Z0] * 3, values)
    ours = BatchedEstimatorGradient(counting_statevector).run(*request).result()
    assert rows_sent(counting_statevector.calls) == [(8,)]
    assert_same(ours, stock(request))


def nearly(difference):
    """A fixed matrix that turns by 0.7 and a little, then one parametrised gate."""
    circuit = QuantumCircuit(2)
    circuit.unitary(RXGate(0.7 + difference).to_matrix(), [0])
    circuit.ry(A[0], 0)
    circuit.cx(0, 1)
    return circuit


@pytest.mark.parametrize("method", ["param_shift", "adjoint"])
def test_what_qiskit_calls_equal_within_its_tolerance_shares_nothing(method, twin_jacobian):
    circuits = [nearly(0.0), nearly(3e-6), nearly(0.0)]
    assert circuits[0] == circuits[1]
    observables = [Z1, Z1 * (1 + 4e-6)]
    assert observables[0] == observables[1]
    gradient = BatchedEstimatorGradient(TorchEstimator(dtype="complex128"), method)
    request = [(c, o) for c in circuits for o in observables]
    found = gradient.run(*map(list, zip(*request, strict=True)), [[0.4]] * len(request)).result()
    for (circuit, observable), mine in zip(request, found.gradients, strict=True):
        expected = twin_jacobian(circuit, [observable], [0.4])[0]
        np.testing.assert_allclose(mine, expected, atol=1e-9)
    assert len({float(g[0]) for g in found.gradients}) == 4


def test_zeros_of_either_sign_are_two_vectors():
    a = Parameter("a")
    circuit = QuantumCircuit(1)
    circuit.rx((1 / a).arctan() / 2, 0)
    estimator = TorchEstimator(dtype="complex128")
    found = estimator.run([(circuit, SparsePauliOp("Y"), [[0.0], [-0.0]])]).result()[0].data.evs
    np.testing.assert_allclose(found, [-np.sqrt(0.5), np.sqrt(0.5)])
    batches = split_request(
        [circuit] * 2, [Z0] * 2, [[0.0], [-0.0]], [list(circuit.parameters)] * 2
    )
    assert len(batches[0].values) == 2
