r"""Rotations as Pauli transfer matrices; conventions: :mod:`qvlm_qiskit.basics.pauli_transfer`.

A state is the real vector of its :math:`4^n` Pauli components :math:`\mathrm{Tr}(P_i ρ)`, so every
gate and every channel is a real matrix.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from qvlm_qiskit.basics.pauli_transfer import Ptm, coefficients, pauli_strings
from qvlm_qiskit.quantum.program.operations import PauliRotation


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
    paulis = pauli_strings(len(digits))
    generator = paulis[sum(digit * 4**k for k, digit in enumerate(digits))]
    same = coefficients(paulis, generator @ paulis @ generator)
    turned = coefficients(paulis, -0.5j * (generator @ paulis - paulis @ generator))
    identity = np.eye(len(paulis))
    return np.stack([(identity + same) / 2, (identity - same) / 2, turned])
