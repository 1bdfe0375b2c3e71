"""What the Numba kernels work on: a plan as arrays, and scratch space."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import uint64

from qvlm_qiskit.quantum.statevector.cpu.jit import jit


class PlanArrays(NamedTuple):
    """A plan (:class:`~qvlm_qiskit.quantum.program.fusion.Plan`) and its Pauli terms, as arrays.

    Attributes:
        passes: Kind and integers of every pass.
        start: Per qubit, the gate that opens the circuit on it, or -1; empty behind a load.
        gate_factors: Offsets into ``factors``.
        gate_batched: Whether a gate differs from sample to sample.
        factors: Axis, whether batched, and index of the angle or the constant.
        constants: ``(…, 2, 2)`` fixed single-qubit matrices.
        tables: ``(…, 2**n)`` permutations.
        phases: ``(…, 2**n)`` diagonals.
        dense: Matrices of the DENSE passes, end to end.
        offsets: Their width, and the index of every basis state of their qubits.
        dense_start: Where each begins in ``dense``.
        term_start: Offsets of the groups of Pauli terms with the same X mask.
        term_x: X mask of every group.
        term_z: Z mask of every term.
        term_c: Its coefficient.
        term_o: Its observable.
    """

    passes: Any
    start: Any
    gate_factors: Any
    gate_batched: Any
    factors: Any
    constants: Any
    tables: Any
    phases: Any
    dense: Any
    offsets: Any
    dense_start: Any
    term_start: Any
    term_x: Any
    term_z: Any
    term_c: Any
    term_o: Any


class Scratch(NamedTuple):
    """Scratch space for gates of one tile.

    Attributes:
        prefix: ``(longest gate + 1, 8, L)`` products of factors.
        inverse: ``(8, L)``, also the matrix of a gate that all samples share.
        k: ``(8, L)``.
        other: ``(8, L)``.
        cos: ``(L,)``.
        sin: ``(L,)``.
        total: ``(L,)``.
    """

    prefix: Any
    inverse: Any
    k: Any
    other: Any
    cos: Any
    sin: Any
    total: Any


@jit
def work_space(gate_factors, lanes, like):
    """Scratch for the longest gate, in the precision of ``like``."""
    longest = 0
    for g in range(gate_factors.size - 1):
        longest = max(longest, gate_factors[g + 1] - gate_factors[g])
    return Scratch(
        np.empty((longest + 1, 8, lanes), like.dtype),
        np.empty((8, lanes), like.dtype),
        np.empty((8, lanes), like.dtype),
        np.empty((8, lanes), like.dtype),
        np.empty(lanes, like.dtype),
        np.empty(lanes, like.dtype),
        np.empty(lanes, like.dtype),
    )


@jit
def zero(array):
    """Fill a contiguous array with zeros."""
    flat = array.ravel()
    for t in range(uint64(0), uint64(flat.size)):
        flat[t] = 0
