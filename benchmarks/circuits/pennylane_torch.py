"""PennyLane's ``default.qubit``: a broadcast torch QNode, differentiated by backpropagation."""

from __future__ import annotations

import pennylane as qml
import torch
from peers.runner import TorchRunner
from torch import Tensor

from circuits.described import Case, Gate, signs

GATES = {
    "h": qml.Hadamard,
    "cx": qml.CNOT,
    "rx": qml.RX,
    "ry": qml.RY,
    "rz": qml.RZ,
    "rxx": qml.IsingXX,
    "rzz": qml.IsingZZ,
    "pooling": qml.CRX,
}


def build(case: Case) -> TorchRunner:
    """One QNode for all rows; groups are rows with weights of their own."""
    n = case.num_qubits
    weights = torch.tensor(case.data.weights, requires_grad=True)
    device = qml.device("default.qubit", wires=n)

    @qml.qnode(device, interface="torch", diff_method="backprop")
    def circuit(x: Tensor, w: Tensor) -> object:
        for gate in case.gates:
            _queue(gate, {"x": x, "w": w}, n - 1)
        return qml.state() if case.read == "states" else qml.probs(wires=range(n))

    def evaluate(inputs: Tensor) -> Tensor:
        lead = inputs.shape[:-1]
        w = weights.expand(*lead, -1).flatten(0, -2) if case.grouped else weights
        found = circuit(inputs.flatten(0, -2), w).reshape(*lead, -1)
        if case.read == "states":
            return torch.view_as_real(found.to(torch.complex64)).flatten(-2)
        if case.read == "probabilities":
            return found
        return found @ torch.from_numpy(signs(case)).to(found)

    return TorchRunner(evaluate, [weights], case.data)


def _queue(gate: Gate, sources: dict[str, Tensor], last: int) -> None:
    """Wire 0 is the most significant qubit."""
    angle = [] if gate.angle is None else [sources[gate.angle[0]][..., gate.angle[1]]]
    if gate.name == "zz":
        for one, other in gate.pairs():
            qml.IsingZZ(*angle, wires=(last - one, last - other))
    else:
        GATES[gate.name](*angle, wires=[last - qubit for qubit in gate.qubits])
