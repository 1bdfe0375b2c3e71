r"""Quadratic functions of bits as Ising Hamiltonians, and back; spins that are bound to others.

Bit x and spin z = 1 - 2x: 0 is +1, the eigenvalue of Z for :math:`|0⟩`. Bit i is qubit i.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.errors import InputError

Floats = npt.NDArray[np.float64]
Bits = npt.NDArray[np.int8]


def all_bits(count: int) -> Bits:
    """Every assignment, ``(2**count, count)``; row k holds the bits of k, the lowest first."""
    found: Bits = ((np.arange(2**count)[:, None] >> np.arange(count)) & 1).astype(np.int8)
    return found


@dataclass(frozen=True)
class Ising:
    r""":math:`c + \sum_i h_i z_i + \sum_{i<j} J_{ij} z_i z_j`.

    Attributes:
        fields: h, ``(n,)``.
        couplings: J, ``(n, n)``, zero on and below the diagonal.
        constant: c.
    """

    fields: Floats
    couplings: Floats
    constant: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no Ising model.

        Raises:
            InputError: Shapes that don't fit, or couplings on or below the diagonal.
        """
        wanted = (len(self.fields), len(self.fields))
        if self.couplings.shape != wanted:
            raise InputError(f"couplings must be {wanted}, got {self.couplings.shape}")
        if np.tril(self.couplings).any():
            raise InputError("couplings must be zero on and below the diagonal")

    @classmethod
    def from_qubo(cls, matrix: npt.ArrayLike, constant: float = 0.0) -> Ising:
        """The Ising model of :math:`c + x^T Q x`.

        Args:
            matrix: Q, square; its diagonal are the linear terms, since x² = x.
            constant: c.

        Raises:
            InputError: Q is not square.
        """
        given = np.asarray(matrix, dtype=float)
        if given.ndim != 2 or given.shape[0] != given.shape[1]:
            raise InputError(f"a QUBO's matrix must be square, got {given.shape}")
        pairs = np.triu(given, 1) + np.tril(given, -1).T
        linear = np.diag(given)
        fields = -linear / 2 - (pairs.sum(0) + pairs.sum(1)) / 4
        return cls(fields, pairs / 4, constant + float(linear.sum() / 2 + pairs.sum() / 4))

    def to_qubo(self) -> tuple[Floats, float]:
        """Upper triangular Q and constant with the same values."""
        pairs = 4 * self.couplings
        rows = self.couplings.sum(0) + self.couplings.sum(1)
        constant = self.constant + float(self.fields.sum() + self.couplings.sum())
        return pairs + np.diag(-2 * self.fields - 2 * rows), constant

    @property
    def size(self) -> int:
        """How many spins there are."""
        return len(self.fields)

    def energies(self, bits: npt.ArrayLike) -> Floats:
        """Values of assignments ``(…, n)`` of 0 and 1."""
        spins = 1.0 - 2.0 * np.asarray(bits)
        found: Floats = self.constant + spins @ self.fields
        found = found + np.einsum("...i,ij,...j->...", spins, self.couplings, spins)
        return found

    def operator(self) -> SparsePauliOp:
        """The Hamiltonian on n qubits, without its constant."""
        terms = [("Z", [i], value) for i, value in enumerate(self.fields) if value]
        terms += [
            ("ZZ", [int(i), int(j)], self.couplings[i, j])
            for i, j in zip(*np.nonzero(self.couplings), strict=True)
        ]
        return SparsePauliOp.from_sparse_list(terms or [("", [], 0.0)], num_qubits=self.size)

    def fixed(self, spin: int, sign: int) -> Ising:
        """One spin fewer: it is +1 or -1.

        Args:
            spin: Which.
            sign: Its value.
        """
        beside = self.couplings[spin] + self.couplings[:, spin]
        constant = self.constant + float(sign * self.fields[spin])
        return self._without(spin, self.fields + sign * beside, self.couplings, constant)

    def merged(self, kept: int, gone: int, sign: int) -> Ising:
        """One spin fewer: it is another one, or its opposite.

        Args:
            kept: The spin that stays.
            gone: The one that is replaced by ``sign`` times the other.
            sign: +1 or -1.
        """
        fields, couplings = self.fields.copy(), self.couplings.copy()
        beside = couplings[gone] + couplings[:, gone]
        constant = self.constant + float(sign * beside[kept])
        fields[kept] += sign * fields[gone]
        for other in range(self.size):
            if other not in (kept, gone):
                couplings[min(kept, other), max(kept, other)] += sign * beside[other]
        return self._without(gone, fields, couplings, constant)

    def _without(self, spin: int, fields: Floats, couplings: Floats, constant: float) -> Ising:
        rest = np.delete(np.delete(couplings, spin, 0), spin, 1)
        return Ising(np.delete(fields, spin), rest, constant)
