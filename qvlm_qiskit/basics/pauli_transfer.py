r"""Unitaries as Pauli transfer matrices: :math:`R_{ij} = \mathrm{Tr}(P_i\, U P_j U^†)/d`, real.

The index of a Pauli string on k qubits is :math:`Σ_q p_q 4^q` with I, X, Y, Z = 0 … 3: the first
operand is the least significant digit, as in Qiskit.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Ptm = NDArray[np.float64]
"""A Pauli transfer matrix ``(4**k, 4**k)``."""
Matrix = NDArray[np.complex128]

PAULIS: Matrix = np.array(
    [[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], dtype=complex
)
"""I, X, Y, Z: ``(4, 2, 2)``."""


@lru_cache(maxsize=4)
def pauli_strings(width: int) -> Matrix:
    """All Pauli matrices of `width` = k qubits in index order, ``(4**k, 2**k, 2**k)``."""
    strings = []
    for digits in itertools.product(range(4), repeat=width):
        matrix = np.eye(1, dtype=complex)
        for digit in digits:  # the most significant qubit first
            matrix = np.kron(matrix, PAULIS[digit])
        strings.append(matrix)
    return np.array(strings)


def coefficients(paulis: Matrix, moved: Matrix) -> Ptm:
    """Tr(P_i M_j)/d of all Pauli strings P and as many matrices M."""
    ptm: Ptm = np.einsum("iab,jba->ij", paulis, moved).real / paulis.shape[-1]
    return ptm


def unitary_ptm(unitary: Matrix) -> Ptm:
    """The Pauli transfer matrix of ρ → UρU†, for U of shape ``(2**k, 2**k)``."""
    paulis = pauli_strings(len(unitary).bit_length() - 1)
    return coefficients(paulis, unitary @ paulis @ unitary.conj().T)
