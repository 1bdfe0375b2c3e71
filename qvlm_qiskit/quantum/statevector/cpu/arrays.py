"""What the Numba kernels work on: a plan as arrays, and scratch space."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import uint64

from qvlm_qiskit.quantum.statevector.cpu.borrowed import borrow
from qvlm_qiskit.quantum.statevector.cpu.jit import inlined, jit, within

STRIDE = uint64(64)
"""Numbers from one row of a gate's matrices to the next: at most so many samples side by side."""
SECOND, LOWER = uint64(2) * STRIDE, uint64(4) * STRIDE
"""Where such a matrix has its second column, and its second row."""
MATRIX = uint64(8) * STRIDE
"""Numbers from one such matrix to the next."""


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
        prefix: Products of factors, a matrix for each and one more.
        inverse: A matrix.
        k: As many as ``prefix``.
        cos: ``(L,)``.
        sin: ``(L,)``.
        total: ``(L,)``.
    """

    prefix: Any
    inverse: Any
    k: Any
    cos: Any
    sin: Any
    total: Any


@inlined
def column(m, at):
    """The first column of a gate's matrix for the sample at a place; `SECOND` on, the other."""
    return m[at], m[at + STRIDE], m[at + LOWER], m[at + LOWER + STRIDE]


@inlined
def set_column(m, at, numbers):
    """Write it."""
    m[at], m[at + STRIDE], m[at + LOWER], m[at + LOWER + STRIDE] = numbers


@within
def borrowed_plan(plan):
    """The arrays of a plan without their owners."""
    return PlanArrays(
        borrow(plan.passes),
        borrow(plan.start),
        borrow(plan.gate_factors),
        borrow(plan.gate_batched),
        borrow(plan.factors),
        borrow(plan.constants),
        borrow(plan.tables),
        borrow(plan.phases),
        borrow(plan.dense),
        borrow(plan.offsets),
        borrow(plan.dense_start),
        borrow(plan.term_start),
        borrow(plan.term_x),
        borrow(plan.term_z),
        borrow(plan.term_c),
        borrow(plan.term_o),
    )


@within
def borrowed_space(work):
    """Scratch space without its owners."""
    return Scratch(
        borrow(work.prefix),
        borrow(work.inverse),
        borrow(work.k),
        borrow(work.cos),
        borrow(work.sin),
        borrow(work.total),
    )


@jit
def work_space(gate_factors, lanes, like):
    """Scratch for the longest gate, in the precision of ``like``."""
    longest = 0
    for g in range(gate_factors.size - 1):
        longest = max(longest, gate_factors[g + 1] - gate_factors[g])
    return Scratch(
        np.empty(uint64(longest + 1) * MATRIX, like.dtype),
        np.empty(MATRIX, like.dtype),
        np.empty(uint64(longest + 1) * MATRIX, like.dtype),
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
