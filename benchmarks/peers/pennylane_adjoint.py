"""PennyLane's ``lightning.qubit``: compiled kernels, differentiated by the adjoint method.

The device runs one sample after another, so that its time is proportional to the batch and a part
of it is enough to measure. The adjoint method has no derivative of a given initial state, so the
amplitude encoding is the tree of RY and CX gates, whose angles torch differentiates.
"""

from __future__ import annotations

import numpy as np
import pennylane as qml
import torch
from torch import Tensor
from workloads import Data, Workload

from peers.pennylane_backprop import apply_gates
from peers.runner import TorchRunner
from qvlm_qiskit.quantum import amplitude_angles


def batch_limit(workload: Workload) -> int:
    """Samples that take about a second."""
    return min(workload.batch, 1 if workload.encoding == "amplitude" else 16)


def build(workload: Workload, data: Data, threads: int) -> TorchRunner:
    """A QNode in single precision; the observables are spread over the threads."""
    n = workload.num_qubits
    weights = torch.tensor(data.weights, requires_grad=True)
    device = qml.device("lightning.qubit", wires=n, c_dtype=np.complex64, batch_obs=threads > 1)

    @qml.qnode(device, interface="torch", diff_method="adjoint", device_vjp=True)
    def circuit(inputs: Tensor) -> list[object]:
        if workload.encoding == "angle":
            for qubit in range(n):
                qml.RY(inputs[..., qubit], wires=n - 1 - qubit)
        else:
            amplitude_tree(inputs, n)
        apply_gates(workload, weights)
        return [qml.expval(qml.PauliZ(n - 1 - qubit)) for qubit in range(n)]

    def evaluate(inputs: Tensor) -> Tensor:
        rows = inputs if workload.encoding == "angle" else amplitude_angles(inputs)
        return torch.stack([torch.stack(circuit(row)) for row in rows])

    return TorchRunner(evaluate, [weights], data)


def amplitude_tree(angles: Tensor, n: int) -> None:
    """Uniformly controlled RY gates, most significant qubit first, CX in Gray-code order."""
    offset = 0
    for level in range(n):
        for i in range(2**level):
            qml.RY(angles[offset + i], wires=level)
            if level:
                step = i + 1
                bit = min((step & -step).bit_length() - 1, level - 1)
                qml.CNOT(wires=(level - 1 - bit, level))
        offset += 2**level
