"""What the Numba kernels work on: units and chains as arrays, and scratch space."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from qvlm_qiskit.quantum.statevector.cpu.borrowed import borrow
from qvlm_qiskit.quantum.statevector.cpu.jit import within

WIDTH = 64
"""Places from one row of a block to the next, and most samples side by side. 16 rows of so many
doubles lie in the first-level cache several times; of 128, they push each other out (measured)."""

PERMUTING, DENSE, ENTER, LEAVE = range(4)
"""Kinds of passes: a unit whose matrix has one entry per row, or any; a digit comes or goes."""


class UnitArrays(NamedTuple):
    """A `units.UnitPlan` and its read-out, as arrays; matrices in the precision of the states.

    Attributes:
        passes: ``(U, 6)``: lower and higher digit, their chains or -1, the kind (`PERMUTING`,
            `DENSE`, `ENTER` or `LEAVE`) and the index of the matrix.
        first: ``(U + 2,)``: where the state before each pass, and the last one, begins among the
            numbers of all.
        sources: ``(M, 16)``: the column of each row's entry; the first matrix is the identity.
        factors: ``(M, 16)``: the entry.
        dense: ``(D, 16, 16)``.
        chain_start: ``(C, 16)``: the constant at the start of a chain.
        chain_first: ``(C + 1,)``: offsets into the rotations.
        rotation_parts: ``(R, 3, 16)``.
        rotation_angle: ``(R,)``: among the shared or the batched angles.
        rotation_varies: ``(R,)``: among which.
        read_index: ``(T,)``: components of the state that are read.
        read_factor: ``(T,)``: what each adds.
        read_column: ``(T,)``: to which observable.
    """

    passes: Any
    first: Any
    sources: Any
    factors: Any
    dense: Any
    chain_start: Any
    chain_first: Any
    rotation_parts: Any
    rotation_angle: Any
    rotation_varies: Any
    read_index: Any
    read_factor: Any
    read_column: Any


class Scratch(NamedTuple):
    """Scratch space of one thread for ``lanes`` samples.

    Attributes:
        prefixes: ``(longest chain + 1, 16, lanes)``.
        rotation: ``(16, lanes)``.
        turn: ``(2, lanes)``.
        slope: ``(lanes,)``.
        turned: ``(lanes,)``.
        dot: ``(lanes,)``.
        back: ``(16, lanes)``.
        block: Rows of a unit, ``(16·WIDTH,)``; the others alike.
        other: Likewise.
        lam: Likewise.
        wide: ``(2, 16·WIDTH)``: the chains of a unit's qubits for every column.
        back_wide: Their transposes.
        sums: The gradients by their entries, per column.
        turns: ``(2,)``: whether their angles are differentiated.
    """

    prefixes: Any
    rotation: Any
    turn: Any
    slope: Any
    turned: Any
    dot: Any
    back: Any
    block: Any
    other: Any
    lam: Any
    wide: Any
    back_wide: Any
    sums: Any
    turns: Any


@within
def borrowed_units(plan):
    """The arrays of units without their owners."""
    return UnitArrays(
        borrow(plan.passes),
        borrow(plan.first),
        borrow(plan.sources),
        borrow(plan.factors),
        borrow(plan.dense),
        borrow(plan.chain_start),
        borrow(plan.chain_first),
        borrow(plan.rotation_parts),
        borrow(plan.rotation_angle),
        borrow(plan.rotation_varies),
        borrow(plan.read_index),
        borrow(plan.read_factor),
        borrow(plan.read_column),
    )


@within
def borrowed_space(work):
    """Scratch space without its owners."""
    return Scratch(
        borrow(work.prefixes),
        borrow(work.rotation),
        borrow(work.turn),
        borrow(work.slope),
        borrow(work.turned),
        borrow(work.dot),
        borrow(work.back),
        borrow(work.block),
        borrow(work.other),
        borrow(work.lam),
        borrow(work.wide),
        borrow(work.back_wide),
        borrow(work.sums),
        borrow(work.turns),
    )


@within
def work_space(plan, lanes, like):
    """Scratch for the longest chain, in the precision of ``like``."""
    longest = 0
    for chain in range(plan.chain_first.size - 1):
        longest = max(longest, plan.chain_first[chain + 1] - plan.chain_first[chain])
    return Scratch(
        np.empty((longest + 1, 16, lanes), like.dtype),
        np.empty((16, lanes), like.dtype),
        np.empty((2, lanes), like.dtype),
        np.empty(lanes, like.dtype),
        np.empty(lanes, like.dtype),
        np.empty(lanes, like.dtype),
        np.empty((16, lanes), like.dtype),
        np.empty(16 * WIDTH, like.dtype),
        np.empty(16 * WIDTH, like.dtype),
        np.empty(16 * WIDTH, like.dtype),
        np.empty((2, 16 * WIDTH), like.dtype),
        np.empty((2, 16 * WIDTH), like.dtype),
        np.empty((2, 16 * WIDTH), like.dtype),
        np.zeros(2, np.bool_),
    )
