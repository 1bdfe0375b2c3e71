"""This project: ``QuantumLayer`` on exact batched statevectors."""

from __future__ import annotations

import torch
from workloads import Data, Workload

from peers.qiskit_network import circuit_of
from peers.runner import TorchRunner
from qvlm_qiskit.quantum import QuantumLayer, amplitude_angles, make_qnn


def build(workload: Workload, data: Data, threads: int = 1) -> TorchRunner:
    """A fresh layer; torch's threads are set by the caller."""
    if workload.encoding == "angle":
        return build_layer(workload, data)
    layer = QuantumLayer(make_qnn(*circuit_of(workload)), data.weights)

    return TorchRunner(layer.encode, [layer.weight], data)


def build_layer(workload: Workload, data: Data) -> TorchRunner:
    """The layer alone, on the angles that it takes."""
    layer = QuantumLayer(make_qnn(*circuit_of(workload)), data.weights)
    if workload.encoding == "amplitude":
        angles = amplitude_angles(torch.tensor(data.inputs))
        data = data._replace(inputs=angles.numpy())
    return TorchRunner(layer, [layer.weight], data)
