"""Gates on states that fill the memory: slice by slice, with one new state and little beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from qvlm_qiskit.quantum.program.operations import FixedUnitary, PauliRotation
from qvlm_qiskit.quantum.statevector.tensors.steps import axes_of, qubits_of

Row = Sequence[tuple[int, Tensor | complex]]
"""A slice of the new state: slices of the old one, each with its factor, ``(B,)`` or a number."""


def combined(state: Tensor, qubits: Sequence[int], rows: Sequence[Row], num_qubits: int) -> Tensor:
    """The state whose slice i is the sum of a row's slices.

    Args:
        state: ``(B, 2**n)``.
        qubits: Ascending; a slice has one basis state of these qubits.
        rows: One per basis state, the first qubit least significant.
        num_qubits: n.
    """
    split = state.reshape(state.shape[0], *axes_of(qubits, num_qubits))
    batch = max((len(f) for row in rows for _, f in row if isinstance(f, Tensor)), default=1)
    new = split.new_empty(max(split.shape[0], batch), *split.shape[1:])
    for i, row in enumerate(rows):
        target = new[_place(i, len(qubits))]
        for number, (source, given) in enumerate(row):
            part = split[_place(source, len(qubits))]
            factor = torch.as_tensor(given, dtype=state.dtype, device=state.device)
            factor = factor.reshape(-1, *[1] * (part.ndim - 1))
            if number:
                target.addcmul_(part, factor)
            else:
                target.copy_(part * factor)
    return new.reshape(new.shape[0], -1)


def rotated(state: Tensor, rotation: PauliRotation, angle: Tensor, num_qubits: int) -> Tensor:
    """After exp(-i·angle/2·P).

    Args:
        state: ``(B, 2**n)``.
        rotation: P.
        angle: ``(B,)`` or ``(1,)`` in radians.
        num_qubits: n.
    """
    qubits = qubits_of(rotation)
    x, z = (sum((m >> q & 1) << i for i, q in enumerate(qubits)) for m in (rotation.x, rotation.z))
    cos, sin = torch.cos(angle / 2), torch.sin(angle / 2)
    rows = []
    for i in range(1 << len(qubits)):
        source = i ^ x
        sign = -1.0 if (source & z).bit_count() % 2 else 1.0
        other = -1j * sign * 1j ** (x & z).bit_count()
        rows.append([(i, cos + other * sin)] if x == 0 else [(i, cos), (source, other * sin)])
    return combined(state, qubits, rows, num_qubits)


def multiplied(state: Tensor, gate: FixedUnitary, num_qubits: int) -> Tensor:
    """After a fixed matrix on some qubits."""
    qubits = sorted(gate.qubits)
    bits = [gate.qubits.index(q) for q in qubits]
    local = [sum((i >> k & 1) << b for k, b in enumerate(bits)) for i in range(len(gate.matrix))]
    rows = [
        [(j, complex(gate.matrix[a, b])) for j, b in enumerate(local) if gate.matrix[a, b]]
        for a in local
    ]
    return combined(state, qubits, rows, num_qubits)


def _place(index: int, count: int) -> tuple[Any, ...]:
    """Where a slice is on the axes of :func:`axes_of`, the batch's in front."""
    place: list[Any] = [slice(None)]
    for bit in reversed(range(count)):
        place += [slice(None), index >> bit & 1]
    return (*place, slice(None))
