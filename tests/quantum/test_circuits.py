import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.quantum import (
    QuantumLayer,
    TorchEstimator,
    make_qnn,
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
