"""PennyLane's ``default.qubit``: a broadcast torch QNode, differentiated by backpropagation.

Under noise the device is ``default.mixed``. The QNode returns probabilities, from which every ⟨Z⟩
is one matrix product: faster than a list of expectation values.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt
import pennylane as qml
import torch
from torch import Tensor
from workloads import Data, Workload

from peers.runner import TorchRunner, unit_rows, z_signs


def build(workload: Workload, data: Data, threads: int) -> TorchRunner:
    """One QNode for the whole batch; torch's threads are set by the caller."""
    n = workload.num_qubits
    real = torch.float64 if workload.double else torch.float32
    weights = torch.tensor(data.weights, dtype=real, requires_grad=True)
    signs = torch.tensor(z_signs(n))
    device = qml.device("default.mixed" if workload.noise else "default.qubit", wires=n)

    @qml.qnode(device, interface="torch", diff_method="backprop")
    def circuit(inputs: Tensor) -> object:
        if workload.encoding == "angle":
            for qubit in range(n):
                qml.RY(inputs[:, qubit], wires=n - 1 - qubit)
                add_noise(workload, n - 1 - qubit)
        else:
            qml.StatePrep(inputs, wires=range(n), validate_norm=False)
        apply_gates(workload, weights)
        return qml.probs(wires=range(n))

    def evaluate(inputs: Tensor) -> Tensor:
        rows = inputs if workload.encoding == "angle" else unit_rows(inputs)
        probabilities: Tensor = circuit(rows)
        return probabilities @ signs.to(probabilities)

    return TorchRunner(evaluate, [weights], data, dtype=real)


def apply_gates(workload: Workload, weights: Tensor) -> None:
    """Queue the trainable part; wire 0 is the most significant qubit."""
    last = workload.num_qubits - 1
    for name, qubit, index in workload.gates():
        if name == "cx":
            qml.CNOT(wires=(last - qubit, last - index))
            add_noise(workload, last - qubit, last - index)
        elif name == "ry":
            qml.RY(weights[index], wires=last - qubit)
            add_noise(workload, last - qubit)
        else:
            qml.RZ(weights[index], wires=last - qubit)


def add_noise(workload: Workload, *wires: int) -> None:
    """Queue what follows an RY or a CX; see :class:`~workloads.Workload`."""
    if workload.noise and len(wires) == 1:
        qml.DepolarizingChannel(workload.noise / 10 * 3 / 4, wires=wires)
    elif workload.noise:
        qml.QubitChannel(_kraus(workload.noise), wires=wires)


@cache
def _kraus(p: float) -> list[npt.NDArray[np.complex128]]:
    """Of ρ → (1 − p)·ρ + p·I/4: the sixteen products of two Pauli matrices, weighted."""
    paulis = [qml.matrix(one(0)) for one in (qml.Identity, qml.PauliX, qml.PauliY, qml.PauliZ)]
    weights = np.full(16, p / 16)
    weights[0] += 1 - p
    pairs = product(paulis, repeat=2)
    return [np.sqrt(w) * np.kron(*pair) for w, pair in zip(weights, pairs, strict=True)]
