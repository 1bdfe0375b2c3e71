"""Numba kernels: a whole call forwards and back, by :mod:`.sweeps`.

All that is kept for the way back is one array: cosines and sines, the chains' products, and the
states before every pass.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np

from qvlm_qiskit.quantum.density.cpu import sweeps
from qvlm_qiskit.quantum.density.cpu.arrays import UnitArrays
from qvlm_qiskit.quantum.statevector.cpu.borrowed import borrow, hold
from qvlm_qiskit.quantum.statevector.cpu.jit import jit, within
from qvlm_qiskit.quantum.statevector.cpu.parameters import (
    Given,
    angles_of,
    bound,
    cube,
    matrix,
    pulled,
    read_seeds,
    rows_of_tiles,
    vector,
)

FIELDS = len(UnitArrays._fields)
"""Arrays of units; behind them in a table are their angles, shared and not."""


@within
def units_of(table, like):
    """The units of a table, their matrices in the precision of an array."""
    return UnitArrays(
        matrix(table, 0, np.int64),
        vector(table, 1, np.int64),
        matrix(table, 2, np.int64),
        matrix(table, 3, like.dtype),
        cube(table, 4, like.dtype),
        matrix(table, 5, like.dtype),
        vector(table, 6, np.int64),
        cube(table, 7, like.dtype),
        vector(table, 8, np.int64),
        vector(table, 9, np.bool_),
        vector(table, 10, np.int64),
        vector(table, 11, like.dtype),
        vector(table, 12, np.int64),
    )


@within
def parts(table, units, kept, tiles, lanes):
    """What is kept: shared cosines and sines, the others, products of chains, and states."""
    shared, own, _, _ = angles_of(table, FIELDS)
    common, varying = shared.offset.size, own.offset.size
    chains, last = units.chain_start.shape[0], units.first.size - 1
    first = 2 * common
    second = first + tiles * 2 * varying * lanes
    third = second + tiles * chains * 16 * lanes
    return (
        kept[:first].reshape(2, common),
        kept[first:second].reshape(tiles, 2, varying, lanes),
        kept[second:third].reshape(tiles, chains, 16, lanes),
        kept[third:].reshape(tiles, units.first[last] * lanes),
    )


@within
def turn(angles, weights, turns):
    """Cosines and sines of the shared angles, and of the others tile by tile."""
    count = weights.shape[1]
    for i in range(count):
        weights[0, i], weights[1, i] = math.cos(angles[i]), math.sin(angles[i])
    at = count
    for tile in range(turns.shape[0]):
        for row in range(turns.shape[2]):
            for lane in range(turns.shape[3]):
                turns[tile, 0, row, lane] = math.cos(angles[at])
                turns[tile, 1, row, lane] = math.sin(angles[at])
                at += 1


@jit
def forward(
    table, weights, weight_step, weights_single, rows, row_step, column_step, rows_single, lanes,
    kept, out,
):  # fmt: skip
    """Values ``(B, n_observables)`` of weights and rows; whether all numbers are moderate.

    Arguments as those of the kernels for statevectors.
    """
    given = Given(weights, weight_step, weights_single, rows, row_step, column_step, rows_single)
    batch, kept, out = out.shape[0], borrow(kept), borrow(out)
    tiles = -(-batch // lanes)
    units = units_of(table, kept)
    common, turns, products, states = parts(table, units, kept, tiles, lanes)
    memory = (
        np.empty(common.shape[1] + tiles * turns.shape[2] * lanes),
        np.zeros((tiles, out.shape[1], lanes), out.dtype),
    )
    angles, values = borrow(memory[0]), borrow(memory[1])
    if not bound(table, FIELDS, given, batch, lanes, angles):
        return False
    turn(angles, common, turns)
    sweeps.forward(units, common, turns, products, states, values, 0, tiles, True)
    rows_of_tiles(values, out)
    hold(memory)
    return True


@jit
def backward(
    table, seeds, row_step, column_step, observables, weights, weights_single, rows, rows_single,
    lanes, batch, kept,
):  # fmt: skip
    """Gradients by weights and rows, written one behind the other.

    Arguments as those of the kernels for statevectors.
    """
    kept, tiles = borrow(kept), -(-batch // lanes)
    units = units_of(table, kept)
    common, turns, products, states = parts(table, units, kept, tiles, lanes)
    memory = (
        np.empty((tiles, observables, lanes), kept.dtype),
        np.zeros(common.shape[1]),
        np.zeros((tiles, turns.shape[2], lanes), kept.dtype),
    )
    grad, d_shared, d_own = borrow(memory[0]), borrow(memory[1]), borrow(memory[2])
    read_seeds(seeds, row_step, column_step, grad, batch)
    sweeps.backward(units, common, turns, products, states, grad, d_shared, d_own, 0, tiles)
    pulled(table, FIELDS, batch, d_shared, d_own, weights, weights_single, rows, rows_single)
    hold(memory)
