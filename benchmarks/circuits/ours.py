"""This project: ``QuantumLayer`` and ``states``."""

from __future__ import annotations

import torch
from peers.runner import TorchRunner
from qiskit.circuit import Parameter, ParameterVector, QuantumCircuit
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import SparsePauliOp
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor

from circuits.described import Case, Gate
from qvlm_qiskit.quantum import QuantumLayer, make_qnn, states


def build(case: Case) -> TorchRunner:
    """A fresh circuit and a fresh layer."""
    if case.read == "states":
        return _vectors(case)
    layer = layer_of(case)
    if not case.per_sample:
        return TorchRunner(layer, [layer.weight], case.data)
    weights = torch.tensor(case.data.weights, requires_grad=True)
    return TorchRunner(lambda inputs: layer(inputs, weight=weights), [weights], case.data)


def layer_of(case: Case) -> QuantumLayer:
    """The layer with the case's weights, if they are not those of samples."""
    groups = len(case.data.weights) if case.grouped else None
    start = None if case.per_sample else case.data.weights
    return QuantumLayer(_network(case), start, groups=groups)


def build_layers(case: Case) -> TorchRunner:
    """A layer for every group instead of groups."""
    layers = [QuantumLayer(_network(case), row) for row in case.data.weights]

    def evaluate(inputs: Tensor) -> Tensor:
        columns = zip(layers, inputs.unbind(1), strict=True)
        return torch.stack([layer(column) for layer, column in columns], 1)

    return TorchRunner(evaluate, [layer.weight for layer in layers], case.data)


def _vectors(case: Case) -> TorchRunner:
    circuit, _, _ = circuit_of(case)
    weights = torch.tensor(case.data.weights, requires_grad=True)

    def evaluate(inputs: Tensor) -> Tensor:
        rows = torch.cat([inputs, weights.expand(len(inputs), -1)], 1)
        return torch.view_as_real(states(circuit, rows)).flatten(1)

    return TorchRunner(evaluate, [weights], case.data)


def circuit_of(case: Case) -> tuple[QuantumCircuit, list[Parameter], list[Parameter]]:
    """The circuit, its inputs and its weights; by name, weights come later."""
    x = ParameterVector("x", case.data.inputs.shape[-1])[:]
    w = ParameterVector("xw", case.data.weights.shape[-1])[:]
    pooled = any(gate.name == "pooling" for gate in case.gates)
    circuit = QuantumCircuit(case.num_qubits, case.num_qubits if pooled else 0)
    for gate in case.gates:
        source = {"x": x, "w": w}
        angle = [] if gate.angle is None else [source[gate.angle[0]][gate.angle[1]]]
        _append(circuit, gate, angle)
    return circuit, x, w


def _append(circuit: QuantumCircuit, gate: Gate, angle: list[Parameter]) -> None:
    if gate.name == "pooling":
        measured, kept = gate.qubits
        circuit.measure(measured, measured)
        with circuit.if_test((measured, 1)):
            circuit.rx(*angle, kept)
    elif gate.name == "zz":
        terms = [("ZZ", pair, 1.0) for pair in gate.pairs()]
        sum_of_terms = SparsePauliOp.from_sparse_list(terms, circuit.num_qubits)
        circuit.append(PauliEvolutionGate(sum_of_terms, angle[0] / 2), circuit.qubits)
    else:
        getattr(circuit, gate.name)(*angle, *gate.qubits)


def _network(case: Case) -> EstimatorQNN:
    circuit, x, w = circuit_of(case)
    if case.read == "probabilities":
        return make_qnn(circuit, x, w, read="probabilities")
    strings = [
        SparsePauliOp.from_sparse_list([("Z" * len(string), string, 1.0)], case.num_qubits)
        for string in case.read
    ]
    return make_qnn(circuit, x, w, strings)
