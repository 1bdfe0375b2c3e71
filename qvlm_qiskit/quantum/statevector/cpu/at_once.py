"""Numba kernels: what a whole call does before and after the sweeps, in one kernel with them.

Of a small circuit the sweeps take some microseconds, as does every array that Python makes for
them. Here a call is one kernel: it takes the addresses of tensors (:mod:`.parameters`), and all it
keeps for the way back is one array: cosines and sines, and the final states.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np

from qvlm_qiskit.quantum.statevector.cpu.arrays import PlanArrays
from qvlm_qiskit.quantum.statevector.cpu.borrowed import borrow, hold
from qvlm_qiskit.quantum.statevector.cpu.jit import within
from qvlm_qiskit.quantum.statevector.cpu.parameters import (
    angles_of,
    bound,
    cube,
    matrix,
    vector,
)

FIELDS = len(PlanArrays._fields)
"""Arrays of a plan; behind them in a table are its angles, shared and not."""


@within
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


@within
def parts(kept, count, tiles):
    """Cosines and sines of so many angles, and the final states, of what is kept."""
    trig = kept[: 2 * count].reshape(2, count)
    return trig, kept[2 * count :].reshape(tiles, 2, (kept.size - 2 * count) // (2 * tiles))


@within
def begin(table, given, batch, lanes, kept):
    """Cosines and sines of half the angles, into what is kept; whether all are moderate."""
    shared, own, _, _ = angles_of(table, FIELDS)
    tiles = -(-batch // lanes)
    memory = np.empty(shared.offset.size + tiles * own.offset.size * lanes)
    angles = borrow(memory)
    if not bound(table, FIELDS, given, batch, lanes, angles):
        return False
    trig, _ = parts(kept, angles.size, tiles)
    for i in range(angles.size):
        half = 0.5 * angles[i]
        trig[0, i] = math.cos(half)
        trig[1, i] = math.sin(half)
    hold(memory)
    return True
