"""PennyLane's ``default.qubit``: a broadcast torch QNode, differentiated by backpropagation.

The QNode returns probabilities, from which every ⟨Z⟩ is one matrix product: faster than a list of
expectation values.
"""

from __future__ import annotations

import pennylane as qml
import torch
from torch import Tensor
from workloads import Data, Workload

from peers.runner import TorchRunner, unit_rows, z_signs


def build(workload: Workload, data: Data, threads: int) -> TorchRunner:
    """One QNode for the whole batch; torch's threads are set by the caller."""
    n = workload.num_qubits
    weights = torch.tensor(data.weights, requires_grad=True)
    signs = torch.tensor(z_signs(n))

    @qml.qnode(qml.device("default.qubit", wires=n), interface="torch", diff_method="backprop")
    def circuit(inputs: Tensor) -> object:
        if workload.encoding == "angle":
            for qubit in range(n):
                qml.RY(inputs[:, qubit], wires=n - 1 - qubit)
        else:
            qml.StatePrep(inputs, wires=range(n), validate_norm=False)
        apply_gates(workload, weights)
        return qml.probs(wires=range(n))

    def evaluate(inputs: Tensor) -> Tensor:
        rows = inputs if workload.encoding == "angle" else unit_rows(inputs)
        probabilities: Tensor = circuit(rows)
        return probabilities @ signs.to(probabilities)

    return TorchRunner(evaluate, [weights], data)


def apply_gates(workload: Workload, weights: Tensor) -> None:
    """Queue the trainable part; wire 0 is the most significant qubit."""
    last = workload.num_qubits - 1
    for name, qubit, index in workload.gates():
        if name == "cx":
            qml.CNOT(wires=(last - qubit, last - index))
        else:
            gate = qml.RY if name == "ry" else qml.RZ
            gate(weights[index], wires=last - qubit)
