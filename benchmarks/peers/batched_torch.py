"""What a plain torch program reaches: gates fused into small matrices, the CX ring as one gather.

No framework and no compiler, differentiated by autograd; it also serves as a second, independent
way to the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor
from workloads import Data, Workload

from peers.runner import TorchRunner, unit_rows, z_signs

FUSED = 4
"""Qubits whose rotations are multiplied into one matrix."""


def build(workload: Workload, data: Data, threads: int) -> TorchRunner:
    """Close over weights and constants; torch's threads are set by the caller."""
    n = workload.num_qubits
    ring, signs = _ring(n), torch.tensor(z_signs(n))
    weights = torch.tensor(data.weights, requires_grad=True)

    def evaluate(inputs: Tensor) -> Tensor:
        angle = workload.encoding == "angle"
        state = (_product(inputs) if angle else unit_rows(inputs)).to(torch.complex64)
        for column in weights.split(2 * n):
            gates = _ry(column[:n])  # (n, 2, 2)
            if len(column) == 2 * n:
                gates = _rz(column[n:])[:, :, None] * gates
            state = _apply(state, gates.flip(0))
            if len(column) == 2 * n:
                state = state[:, ring]
        return (state.real**2 + state.imag**2) @ signs

    return TorchRunner(evaluate, [weights], data)


def _ry(angles: Tensor) -> Tensor:
    cos, sin = torch.cos(angles / 2), torch.sin(angles / 2)
    return torch.stack((cos, -sin, sin, cos), -1).reshape(-1, 2, 2).to(torch.complex64)


def _rz(angles: Tensor) -> Tensor:
    return torch.polar(torch.ones(2), torch.stack((-angles, angles), -1) / 2)


def _product(angles: Tensor) -> Tensor:
    """Amplitudes of RY on every qubit of |0…0⟩, qubit 0 least significant."""
    pairs = torch.stack((torch.cos(angles / 2), torch.sin(angles / 2)), -1)  # (B, n, 2)
    return reduce(lambda a, b: (b[:, :, None] * a[:, None]).flatten(1), pairs.unbind(1))


def _apply(state: Tensor, gates: Tensor) -> Tensor:
    """Groups of one-qubit gates, most significant qubit first, as (2ᵏ, 2ᵏ) matrices."""
    shape, before = state.shape, 1
    for group in gates.split(FUSED):
        matrix = _kron(group.unbind())
        state = matrix @ state.reshape(len(state) * before, len(matrix), -1)
        before *= len(matrix)
        state = state.reshape(shape)
    return state


def _kron(factors: Sequence[Tensor]) -> Tensor:
    return reduce(torch.kron, factors)


def _ring(n: int) -> Tensor:
    """Where each amplitude after CX(0,1), CX(1,2), …, CX(n-1,0) comes from."""
    source = torch.arange(2**n)
    for qubit in reversed(range(n)):
        source = source ^ ((source >> qubit & 1) << (qubit + 1) % n)
    return source
