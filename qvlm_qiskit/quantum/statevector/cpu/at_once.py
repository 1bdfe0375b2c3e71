"""Numba kernels: what a whole call does before and after the sweeps, in one kernel with them.

Of a small circuit the sweeps take some microseconds, as does every array that Python makes for
them. Here a call is one kernel: it takes the addresses of tensors (:mod:`.parameters`), and all it
keeps for the way back is one array: cosines and sines, and the final states.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np

from qvlm_qiskit.quantum.statevector.cpu import parameters
from qvlm_qiskit.quantum.statevector.cpu.arrays import PlanArrays
from qvlm_qiskit.quantum.statevector.cpu.jit import jit
from qvlm_qiskit.quantum.statevector.cpu.parameters import cube, matrix, vector

FIELDS = len(PlanArrays._fields)
"""Arrays of a plan; behind them in a table are its angles, shared and not."""


@jit
def plan_of(table):
    """The plan of a table."""
    return PlanArrays(
        matrix(table, 0, np.int64),
        vector(table, 1, np.int64),
        vector(table, 2, np.int64),
        vector(table, 3, np.bool_),
        matrix(table, 4, np.int64),
        cube(table, 5, np.complex128),
        matrix(table, 6, np.int32),
        matrix(table, 7, np.complex128),
        vector(table, 8, np.complex128),
        matrix(table, 9, np.int64),
        vector(table, 10, np.int64),
        vector(table, 11, np.int64),
        vector(table, 12, np.int64),
        vector(table, 13, np.int64),
        vector(table, 14, np.float64),
        vector(table, 15, np.int64),
    )


@jit
def angles_of(table):
    """The shared angles of a table, the others, and how many weights and inputs there are."""
    shared = parameters.affine(table, FIELDS)
    own = parameters.affine(table, FIELDS + 7)
    return shared, own, table[table.size - 2], table[table.size - 1]


@jit
def parts(kept, count, tiles):
    """Cosines and sines of so many angles, and the final states, of what is kept."""
    trig = kept[: 2 * count].reshape(2, count)
    return trig, kept[2 * count :].reshape(tiles, 2, (kept.size - 2 * count) // (2 * tiles))


@jit
def begin(table, given, batch, lanes, kept):
    """Cosines and sines of all angles, into what is kept; whether all are of moderate size."""
    shared, own, num_weights, num_inputs = angles_of(table)
    tiles, count = -(-batch // lanes), shared.offset.size
    angles = np.empty(count + tiles * own.offset.size * lanes)
    weights, rows = np.empty(num_weights), np.empty((batch, num_inputs))
    varying = angles[count:].reshape(tiles, own.offset.size, lanes)
    if not parameters.bind(shared, own, given, weights, rows, angles[:count], varying):
        return False
    trig, _ = parts(kept, angles.size, tiles)
    for i in range(angles.size):
        half = 0.5 * angles[i]
        trig[0, i] = math.cos(half)
        trig[1, i] = math.sin(half)
    return True


@jit
def end(table, batch, d_shared, d_own, weights_at, weights_single, rows_at, rows_single):
    """Gradients by weights and rows to their addresses; 0 for what is not wanted."""
    shared, own, num_weights, num_inputs = angles_of(table)
    by_weights, by_rows = np.empty(num_weights), np.empty((batch, num_inputs))
    parameters.pull(shared, own, d_shared, d_own, by_weights, by_rows)
    if weights_at:
        parameters.write(by_weights, weights_at, weights_single)
    if rows_at:
        parameters.write(by_rows.ravel(), rows_at, rows_single)
