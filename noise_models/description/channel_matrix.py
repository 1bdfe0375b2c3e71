"""A gate's own channel as rows of its Pauli transfer matrix: what is physical, and its strength.

The convention is that of `basics.pauli_transfer`: R_ij = Tr(P_i E(P_j))/d, the first operand is the
least significant digit of an index.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from qvlm_qiskit.basics.pauli_transfer import Ptm, pauli_strings
from qvlm_qiskit.errors import NoiseModelError

Rows: TypeAlias = tuple[tuple[float, ...], ...]
TOLERANCE = 1e-8
"""Aer's own: Kraus operators from elsewhere are no more precise."""
MAX_WIDTH = 2


def checked_rows(rows: Sequence[Sequence[float]], width: int, what: str) -> Rows:
    """Rows as tuples of plain numbers; () for no channel.

    Args:
        rows: 4^width of 4^width numbers.
        width: Number of qubits, 1 or 2.
        what: Whose channel, for messages.

    Raises:
        NoiseModelError: Another size, something that is no number, or a map that does not preserve
            the trace or is not completely positive.
    """
    if not len(rows):
        return ()
    if width > MAX_WIDTH:
        raise NoiseModelError(f"the channel of {what} acts on {width} qubits, the most are 2")
    try:
        plain = tuple(tuple(float(value) for value in row) for row in rows)
    except (TypeError, ValueError) as ex:
        raise NoiseModelError(f"the channel of {what} is no matrix of numbers") from ex
    if len(plain) != 4**width or any(len(row) != 4**width for row in plain):
        raise NoiseModelError(f"the channel of {what} must have {4**width} rows of as many numbers")
    if not all(math.isfinite(value) for row in plain for value in row):
        raise NoiseModelError(f"the channel of {what} has numbers that are not finite")
    if problem := _problem(plain):
        raise NoiseModelError(f"the channel of {what} {problem}")
    return plain


def scaled_rows(rows: Rows, factor: float) -> Rows:
    """The channel `factor` times: as often as goes, and once more with the rest as probability.

    E^n·(1 + r·(E − 1)) for the factor n + r with n whole and 0 ≤ r < 1. That is physical for every
    factor, and to first order in 1 − E each error grows linearly.
    """
    if not rows or factor == 1:
        return rows
    matrix, whole = np.array(rows), math.floor(factor)
    rest = np.eye(len(rows)) + (factor - whole) * (matrix - np.eye(len(rows)))
    return as_rows(np.linalg.matrix_power(matrix, whole) @ rest)


def as_rows(matrix: Ptm) -> Rows:
    """A matrix as a description keeps it."""
    return tuple(tuple(row) for row in matrix.tolist())


def is_identity(rows: Rows) -> bool:
    """Whether a channel does nothing; also where there is none."""
    return not rows or bool(np.array_equal(np.array(rows), np.eye(len(rows))))


def channel_infidelity(rows: Rows) -> float:
    """Average infidelity 1 − F of a channel, F = (Tr R/d + 1)/(d + 1)."""
    if not rows:
        return 0.0
    dim = math.isqrt(len(rows))
    return float(1 - (sum(row[i] for i, row in enumerate(rows)) / dim + 1) / (dim + 1))


@lru_cache(maxsize=4096)
def _problem(rows: Rows) -> str:
    """What makes rows no channel; "" where they are one."""
    matrix: Any = np.array(rows)
    first = np.eye(1, len(rows))[0]
    if np.abs(matrix[0] - first).max() > TOLERANCE:
        return "does not preserve the trace: its first row must be 1, 0, 0, …"
    least = float(np.linalg.eigvalsh(choi_matrix(matrix)).min())
    if least < -TOLERANCE:
        return f"is not completely positive: its Choi matrix has the eigenvalue {least:.3g}"
    return ""


def choi_matrix(matrix: Ptm) -> Any:
    """Σ_ij R_ij/d · P_jᵀ⊗P_i, of trace d; its eigenvalues are at least 0 for a channel."""
    paulis = pauli_strings(len(matrix).bit_length() // 2)
    size = paulis.shape[-1]
    whole = np.einsum("ij,jba,icd->acbd", matrix, paulis, paulis) / size
    return whole.reshape(size * size, size * size)
