"""This project: ``QuantumLayer`` on exact batched statevectors."""

from __future__ import annotations

import torch
from workloads import Data, Workload

from peers.qiskit_network import circuit_of
from peers.runner import TorchRunner
from qvlm_qiskit.noise_models import depolarizing
from qvlm_qiskit.quantum import QuantumLayer, TorchEstimator, amplitude_angles, make_qnn


def build(workload: Workload, data: Data, threads: int = 1) -> TorchRunner:
    """A fresh layer; torch's threads are set by the caller."""
    return build_on(workload, data, dtype=torch.float64 if workload.double else torch.float32)


def build_on(
    workload: Workload, data: Data, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> TorchRunner:
    """A fresh layer on a device; float64 makes it compute in complex128."""
    noisy = TorchEstimator(
        noise_model=depolarizing(workload.noise, basis=("ry", "rz", "cx")),
        dtype="complex128" if dtype == torch.float64 else "complex64",
    )
    network = make_qnn(*circuit_of(workload), estimator=noisy if workload.noise else None)
    layer = QuantumLayer(network, data.weights).to(device, dtype)
    call = layer if workload.encoding == "angle" else layer.encode
    return TorchRunner(call, [layer.weight], data, device, dtype)


def build_layer(workload: Workload, data: Data) -> TorchRunner:
    """The layer alone, on the angles that it takes."""
    layer = QuantumLayer(make_qnn(*circuit_of(workload)), data.weights)
    if workload.encoding == "amplitude":
        angles = amplitude_angles(torch.tensor(data.inputs))
        data = data._replace(inputs=angles.numpy())
    return TorchRunner(layer, [layer.weight], data)
