"""All one-qubit gates of a program at once: 2×2 matrices from angles, and blocks of them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from qvlm_qiskit.quantum.program.operations import FixedUnitary, PauliRotation, QubitIndex
from qvlm_qiskit.quantum.statevector.tensors.steps import Chain
from qvlm_qiskit.quantum.torch_support.device_constants import DeviceConstants

BLOCK_QUBITS = 4
"""Neighbouring qubits whose shared gates become one matrix; more would cost more arithmetic."""

Place = tuple[int, QubitIndex]
"""A step and a qubit: where a one-qubit gate is; the first qubit of a block."""

_X = np.array([[0, 1], [1, 0]], dtype=complex)
_Z = np.diag([1, -1]).astype(complex)
_PAULIS: dict[tuple[int, int], npt.NDArray[np.complex128]] = {
    (1, 0): _X,
    (0, 1): _Z,
    (1, 1): 1j * _X @ _Z,
}


class GateBank:
    """The 2×2 matrices of many chains of one-qubit operations.

    Operation l of chain g is cos(φ/2)·base[l, g] + sin(φ/2)·slope[l, g]: a Pauli rotation has the
    bases 1 and -iP; a constant gate, and the identity behind a short chain, has φ = 0. The last
    matrix of a bank is the identity.
    """

    def __init__(self, chains: Sequence[Chain], columns: Mapping[int, int]) -> None:
        """Lay out the chains.

        Args:
            chains: In the order in which their matrices come out.
            columns: The column of each row of the program's angle table.
        """
        self.size = len(chains)
        length, zero = max(map(len, chains), default=1), len(columns)
        self._base = np.zeros((length, self.size + 1, 2, 2), dtype=complex)
        self._base[...] = np.eye(2)
        self._slope = np.zeros_like(self._base)
        self._column = np.full(self._base.shape[:2], zero)
        for g, chain in enumerate(chains):
            for i, operation in enumerate(chain):
                if isinstance(operation, FixedUnitary):
                    self._base[i, g] = operation.matrix
                else:
                    self._slope[i, g] = -1j * _pauli(operation)
                    self._column[i, g] = columns[operation.angle]
        self._constants = DeviceConstants()

    def matrices(self, angles: Tensor, dtype: torch.dtype) -> Tensor:
        """The product of every chain, ``(…, size + 1, 2, 2)`` complex.

        Args:
            angles: ``(…, n_angles)`` in radians, of any precision.
            dtype: Of the result.
        """
        device = angles.device
        column = self._constants.get("column", self._column.ravel, device, torch.int64)
        base = self._constants.get("base", lambda: self._base, device, dtype)
        slope = self._constants.get("slope", lambda: self._slope, device, dtype)
        half = F.pad(angles / 2, (0, 1)).index_select(-1, column)
        half = half.reshape(*angles.shape[:-1], *self._column.shape, 1, 1)
        real = dtype.to_real()
        factors = torch.cos(half).to(real) * base + torch.sin(half).to(real) * slope
        # (…, L, G + 1, 2, 2)
        product, *others = factors.unbind(-4)
        for factor in others:
            product = factor @ product
        return product


def kron_groups(matrices: Tensor, index: Tensor) -> Tensor:
    """Tensor products of 2×2 matrices.

    Args:
        matrices: ``(n_gates, 2, 2)``.
        index: ``(n_groups, width)`` gates of each group, the least significant qubit's first.

    Returns:
        ``(n_groups, 2**width, 2**width)``.
    """
    groups = len(index)
    chosen = matrices.index_select(0, index.T.reshape(-1)).reshape(-1, groups, 2, 2)
    product, *others = chosen.unbind()
    for gate in others:
        product = gate[:, :, None, :, None] * product[:, None, :, None, :]
        side = product.shape[1] * product.shape[2]
        product = product.reshape(groups, side, side)
    return product


def blocks_of(num_qubits: int) -> list[tuple[QubitIndex, int]]:
    """First qubit and width of as few blocks as possible, of nearly the same width."""
    count = -(-num_qubits // BLOCK_QUBITS)
    bounds = [num_qubits * i // count for i in range(count + 1)] if count else [0]
    return [(low, high - low) for low, high in itertools.pairwise(bounds)]


def block_groups(
    places: Mapping[Place, int], num_qubits: int
) -> dict[int, tuple[list[Place], list[list[int]]]]:
    """By width, the blocks that have gates, and the place of each of their qubits' gates."""
    groups: dict[int, tuple[list[Place], list[list[int]]]] = {}
    for index in sorted({step for step, _ in places}):
        for first, width in blocks_of(num_qubits):
            # the bank's last matrix is the identity
            own = [places.get((index, q), len(places)) for q in range(first, first + width)]
            if min(own) < len(places):
                blocks, indices = groups.setdefault(width, ([], []))
                blocks.append((index, first))
                indices.append(own)
    return groups


def _pauli(rotation: PauliRotation) -> npt.NDArray[np.complex128]:
    return _PAULIS[int(rotation.x != 0), int(rotation.z != 0)]
