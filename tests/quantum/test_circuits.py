import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import (
    DensityMatrix,
    SparsePauliOp,
    Statevector,
    partial_trace,
    random_statevector,
)

from qvlm_qiskit.quantum import (
    QuantumLayer,
    TorchEstimator,
    make_qnn,
    pooling_layer,
    variational_layer,
    z_observables,
)


def instructions(circuit):
    return [
        (i.operation.name, tuple(circuit.find_bit(q).index for q in i.qubits), *i.operation.params)
        for i in circuit.data
    ]


def test_the_variational_layer_is_ry_rz_rx_on_every_qubit_and_a_ring_of_cnots():
    w = ParameterVector("w", 9)
    circuit = QuantumCircuit(3)
    variational_layer(circuit, list(w))
    assert instructions(circuit) == [
        ("ry", (0,), w[0]),
        ("rz", (0,), w[1]),
        ("rx", (0,), w[2]),
        ("ry", (1,), w[3]),
        ("rz", (1,), w[4]),
        ("rx", (1,), w[5]),
        ("ry", (2,), w[6]),
        ("rz", (2,), w[7]),
        ("rx", (2,), w[8]),
        ("cx", (0, 1)),
        ("cx", (1, 2)),
        ("cx", (2, 0)),
    ]


@pytest.mark.parametrize("n", [2, 4, 6])
def test_the_ring_has_as_many_cnots_as_qubits(n):
    circuit = QuantumCircuit(n)
    variational_layer(circuit, list(ParameterVector("w", 3 * n)))
    pairs = [qubits for name, qubits, *_ in instructions(circuit) if name == "cx"]
    assert pairs == [(q, (q + 1) % n) for q in range(n)]


def test_a_layer_on_some_qubits_is_that_layer_on_them():
    w, chosen = ParameterVector("w", 9), [3, 0, 2]
    alone, circuit, expected = QuantumCircuit(3), QuantumCircuit(4), QuantumCircuit(4)
    variational_layer(alone, list(w))
    variational_layer(circuit, list(w), chosen)
    expected.compose(alone, chosen, inplace=True)
    assert circuit == expected


def test_pooling_is_a_measurement_and_a_rotation_by_what_was_found():
    """The deferred circuit against the channel, on a random state of three qubits."""
    a, b, state = 0.7, -1.9, random_statevector(8, seed=3)
    circuit = QuantumCircuit(3)
    assert pooling_layer(circuit, [a, b], [2, 0, 1]) == [2, 1]
    deferred = partial_trace(state.evolve(circuit), [0]).data  # of qubits 1 and 2
    measured = np.zeros((4, 4), dtype=complex)
    for outcome, angle in ((0, a + b), (1, a - b)):
        rotation = QuantumCircuit(3)
        rotation.ry(angle, 2)
        seen = Statevector(projector(outcome) @ state.data).evolve(rotation)
        measured += partial_trace(DensityMatrix(seen), [0]).data
    np.testing.assert_allclose(deferred, measured, atol=1e-12)


def projector(outcome):
    """On one outcome of qubit 0 of three."""
    return np.kron(np.eye(4), np.diag([1 - outcome, outcome]))


@pytest.mark.parametrize(("n", "left"), [(1, [0]), (2, [0]), (3, [0, 2]), (6, [0, 2, 4])])
def test_of_every_two_qubits_one_goes_on(n, left):
    w = ParameterVector("w", 2 * (n // 2))
    circuit = QuantumCircuit(n)
    assert pooling_layer(circuit, list(w), range(n)) == left
    assert set(circuit.parameters) == set(w)
    assert circuit.num_nonlocal_gates() == len(w)


def test_one_qubit_has_no_ring():
    circuit = QuantumCircuit(1)
    variational_layer(circuit, list(ParameterVector("w", 3)))
    assert dict(circuit.count_ops()) == {"ry": 1, "rz": 1, "rx": 1}


def test_layers_are_appended_in_place_and_may_take_numbers():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    variational_layer(circuit, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert [name for name, *_ in instructions(circuit)][:2] == ["h", "ry"]
    assert not circuit.parameters


def test_z_observables_are_one_per_qubit_from_qubit_zero_on():
    assert z_observables(3) == [SparsePauliOp("IIZ"), SparsePauliOp("IZI"), SparsePauliOp("ZII")]


def test_make_qnn_is_exact_reads_every_qubit_and_trains_its_inputs():
    x, w = ParameterVector("x", 2), ParameterVector("w", 1)
    circuit = QuantumCircuit(2)
    circuit.ry(x[1], 0)
    circuit.ry(x[0], 1)
    circuit.rx(w[0], 0)
    network = make_qnn(circuit, list(x), list(w))
    assert type(network.estimator) is TorchEstimator
    assert network.input_gradients
    assert network.output_shape == (2,)
    layer = QuantumLayer(network, initial_weights=np.array([0.0]))
    values = layer(torch.tensor([[0.4, 1.1]]))
    torch.testing.assert_close(values, torch.tensor([[1.1, 0.4]]).cos())


def test_make_qnn_takes_other_observables_and_another_estimator():
    x = ParameterVector("x", 1)
    circuit = QuantumCircuit(1)
    circuit.ry(x[0], 0)
    estimator = StatevectorEstimator()
    network = make_qnn(circuit, list(x), [], [SparsePauliOp("X")], estimator)
    assert network.estimator is estimator
    assert network.observables == [SparsePauliOp("X")]
