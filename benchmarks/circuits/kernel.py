"""The fidelity matrix of some points under a ZZ feature map, and its gradients.

The one weight multiplies all points, as kernel alignment trains it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from peers.runner import TorchRunner
from torch import Tensor
from workloads import Data

from circuits import contenders
from circuits.contenders import Row

PI = math.pi


def row(smoke: bool) -> Row:
    """60 points on 10 qubits."""
    n, count = (3, 4) if smoke else (10, 60)
    rng = np.random.default_rng(0)
    arrays = rng.uniform(0, 2, (count, n)), np.ones(1), rng.normal(0, 1, (count, count))
    data = Data(*(array.astype(np.float32) for array in arrays))
    title = f"fidelity kernel: ZZ map of {n} qubits on a line, 2 repetitions, {count} points"
    found = [
        contenders.ours(lambda: _ours(n, data)),
        contenders.tensorcircuit(lambda: _tensorcircuit(n, data)),
        contenders.pennylane(lambda: _pennylane(n, data)),
        contenders.torch(lambda: _torch(n, data), "plain torch, diagonals"),
    ]
    return Row(title, found)


def _ours(n: int, data: Data) -> TorchRunner:
    from qiskit.circuit.library import zz_feature_map

    from qvlm_qiskit.quantum import fidelity_kernel

    circuit = zz_feature_map(n, reps=2, entanglement="linear")
    scale = torch.tensor(data.weights, requires_grad=True)
    return TorchRunner(lambda x: fidelity_kernel(circuit, scale * x).values, [scale], data)


def _tensorcircuit(n: int, data: Data) -> Any:
    import jax
    import jax.numpy as jnp
    import tensorcircuit as tc
    from peers.tensorcircuit_jax import JaxRunner

    tc.set_dtype("complex64")

    def state(x: Any) -> Any:
        circuit = tc.Circuit(n)
        for _ in range(2):
            for q in range(n):
                circuit.h(q)
                circuit.phase(q, theta=2 * x[q])
            for q in range(n - 1):
                circuit.cnot(q, q + 1)
                circuit.phase(q + 1, theta=2 * (PI - x[q]) * (PI - x[q + 1]))
                circuit.cnot(q, q + 1)
        return circuit.state()

    def kernel(x: Any, scale: Any) -> Any:
        vectors = jax.vmap(state)(scale * x)
        overlaps = vectors @ jnp.conj(vectors).T
        return overlaps.real**2 + overlaps.imag**2

    return JaxRunner(kernel, data)


def _pennylane(n: int, data: Data) -> TorchRunner:
    import pennylane as qml

    @qml.qnode(qml.device("default.qubit", wires=n), interface="torch", diff_method="backprop")
    def state(x: Tensor) -> object:
        for _ in range(2):
            for q in range(n):
                qml.Hadamard(q)
                qml.PhaseShift(2 * x[:, q], q)
            for q in range(n - 1):
                qml.CNOT((q, q + 1))
                qml.PhaseShift(2 * (PI - x[:, q]) * (PI - x[:, q + 1]), q + 1)
                qml.CNOT((q, q + 1))
        return qml.state()

    scale = torch.tensor(data.weights, requires_grad=True)
    return TorchRunner(lambda x: _fidelities(state(scale * x)), [scale], data)


def _torch(n: int, data: Data) -> TorchRunner:
    """Phases of all amplitudes at once, and Hadamard matrices of five qubits each."""
    scale = torch.tensor(data.weights, requires_grad=True)
    ones = (torch.arange(2**n)[:, None] >> torch.arange(n) & 1).float()
    differ = (ones[:, 1:] - ones[:, :-1]).abs()
    halves = [_hadamards(n // 2), _hadamards(n - n // 2)]

    def fidelities(points: Tensor) -> Tensor:
        x = scale * points
        angles = 2 * x @ ones.T + (2 * (PI - x[:, :-1]) * (PI - x[:, 1:])) @ differ.T
        phases = torch.polar(torch.ones_like(angles), angles)
        grid = (phases / 2 ** (n / 2)).reshape(len(x), len(halves[0]), len(halves[1]))
        return _fidelities((halves[0] @ grid @ halves[1]).flatten(1) * phases)

    return TorchRunner(fidelities, [scale], data)


def _hadamards(n: int) -> Tensor:
    found = torch.ones(1, 1)
    for _ in range(n):
        found = torch.kron(found, torch.tensor([[1.0, 1.0], [1.0, -1.0]]) / 2**0.5)
    return found.to(torch.complex64)


def _fidelities(vectors: Tensor) -> Tensor:
    overlaps = vectors @ vectors.mH
    return overlaps.real.square() + overlaps.imag.square()
