r"""Gates as Pauli transfer matrices :math:`R_{ij} = \mathrm{Tr}(P_i\, U P_j U^†)/d`.

A state is the real vector of its :math:`4^n` Pauli components :math:`\mathrm{Tr}(P_i ρ)`, so every
gate and every channel is a real matrix. The index of a Pauli string is :math:`Σ_q p_q 4^q` with
I, X, Y, Z = 0 … 3: qubit 0 is the least significant digit.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from qvlm_qiskit.quantum.program.program import FixedUnitary, Matrix, PauliRotation

Ptm = npt.NDArray[np.float64]

_PAULIS = np.array(
    [[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], dtype=complex
)


def unitary_ptm(operation: FixedUnitary) -> Ptm:
    """The matrix of a constant gate on its own qubits."""
    paulis = _strings(len(operation.qubits))
    moved = operation.matrix @ paulis @ operation.matrix.conj().T
    return _coefficients(paulis, moved)


def rotation_ptm(rotation: PauliRotation) -> tuple[tuple[int, ...], Ptm]:
    r"""The qubits of exp(-iθ/2·P), ascending, and the parts ``(3, 4**k, 4**k)`` of its matrix.

    :math:`R(θ) = R_0 + \cos θ R_1 + \sin θ R_2`, because
    :math:`UρU^† = \frac{ρ + PρP}{2} + \cos θ \frac{ρ - PρP}{2} - \frac{i}{2} \sin θ [P, ρ]`.
    """
    mask = rotation.x | rotation.z
    qubits = tuple(q for q in range(mask.bit_length()) if mask >> q & 1)
    return qubits, _rotation_parts(
        tuple((rotation.x >> q & 1) + 2 * (rotation.z >> q & 1) for q in qubits)
    )


def swapped(ptm: Ptm) -> Ptm:
    """The matrix of two qubits, last two axes 16 × 16, with their roles exchanged."""
    lead = ptm.shape[:-2]
    axes = tuple(range(len(lead)))
    n = len(lead)
    parts = ptm.reshape(*lead, 4, 4, 4, 4)
    return parts.transpose(*axes, n + 1, n, n + 3, n + 2).reshape(*lead, 16, 16)


@lru_cache(maxsize=64)
def _rotation_parts(letters: tuple[int, ...]) -> Ptm:
    # x + 2z: 1 is X, 2 is Z, 3 is Y
    digits = [{1: 1, 2: 3, 3: 2}[letter] for letter in letters]
    paulis = _strings(len(digits))
    generator = paulis[sum(digit * 4**k for k, digit in enumerate(digits))]
    same = _coefficients(paulis, generator @ paulis @ generator)
    turned = _coefficients(paulis, -0.5j * (generator @ paulis - paulis @ generator))
    identity = np.eye(len(paulis))
    return np.stack([(identity + same) / 2, (identity - same) / 2, turned])


def _coefficients(paulis: Matrix, moved: Matrix) -> Ptm:
    ptm: Ptm = np.einsum("iab,jba->ij", paulis, moved).real / paulis.shape[-1]
    return ptm


@lru_cache(maxsize=4)
def _strings(width: int) -> Matrix:
    """All Pauli matrices of some qubits in index order, ``(4**k, 2**k, 2**k)``."""
    strings = []
    for digits in itertools.product(range(4), repeat=width):
        matrix = np.eye(1, dtype=complex)
        for digit in digits:  # the most significant qubit first
            matrix = np.kron(matrix, _PAULIS[digit])
        strings.append(matrix)
    return np.array(strings)
