"""Evolutions e^{-itH} that are products of Pauli rotations: those whose terms commute."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import SparseObservable, SparsePauliOp
from qiskit.synthesis import QDrift

Term = tuple[str, Sequence[int], Any]
"""Pauli letters, the gate's qubits that they act on, and the angle of the rotation: 2·t·c."""


def commuting_rotations(operation: Any) -> list[Term] | None:
    """The Pauli rotations that a ``PauliEvolutionGate`` is; one without letters is a phase.

    Where all terms commute with each other, every product formula is exact and one rotation per
    string is all there is. A list of operators is a product whose order the synthesis decides, so
    all of them have to commute.

    Args:
        operation: Any operation.

    Returns:
        Letters, qubits and angles in order of application; None where the operation is something
        else, where two terms don't commute, or where strings are drawn at random (``QDrift``): then
        its definition says what it stands for.
    """
    if type(operation) is not PauliEvolutionGate or isinstance(operation.synthesis, QDrift):
        return None
    given = operation.operator
    operators = [_strings(one) for one in (given if isinstance(given, list) else [given])]
    total = SparsePauliOp.sum(operators)
    return list(_rotations(total, operation.time)) if _is_exact(total) else None


def _strings(operator: SparsePauliOp | SparseObservable) -> SparsePauliOp:
    """Projectors as sums of Pauli strings."""
    if isinstance(operator, SparseObservable):
        return SparsePauliOp.from_sparse_observable(operator)
    return operator


def _is_exact(operator: SparsePauliOp) -> bool:
    """Whether all terms commute with each other; Qiskit takes real coefficients only."""
    x, z = (part.astype(np.int64) for part in (operator.paulis.x, operator.paulis.z))
    crossings = x @ z.T
    return not ((crossings + crossings.T) % 2).any()


def _rotations(operator: SparsePauliOp, time: Any) -> Iterator[Term]:
    for letters, qubits, coefficient in operator.to_sparse_list():
        yield letters, qubits, 2 * time * coefficient.real
