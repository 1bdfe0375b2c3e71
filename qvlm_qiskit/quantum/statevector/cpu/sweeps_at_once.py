"""Numba kernels: a whole call forwards and back, by :mod:`.sweeps`."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from qvlm_qiskit.quantum.statevector.cpu import sweeps
from qvlm_qiskit.quantum.statevector.cpu.at_once import FIELDS, begin, parts, plan_of
from qvlm_qiskit.quantum.statevector.cpu.borrowed import borrow
from qvlm_qiskit.quantum.statevector.cpu.jit import jit
from qvlm_qiskit.quantum.statevector.cpu.parameters import (
    Given,
    angles_of,
    pulled,
    read_seeds,
    rows_of_tiles,
)


@jit
def forward(
    table, weights, weight_step, weights_single, rows, row_step, column_step, rows_single, lanes,
    kept, out,
):  # fmt: skip
    """Values ``(B, n_observables)`` of weights and rows; whether all numbers are moderate.

    Args:
        table: Of a plan and its angles.
        weights: As those before the lanes, see :class:`.Given`.
        weight_step: Likewise.
        weights_single: Likewise.
        rows: Likewise.
        row_step: Likewise.
        column_step: Likewise.
        rows_single: Likewise.
        lanes: Samples side by side.
        kept: Receives what the way back needs.
        out: Receives the values.
    """
    given = Given(weights, weight_step, weights_single, rows, row_step, column_step, rows_single)
    batch, kept, out = out.shape[0], borrow(kept), borrow(out)
    tiles = -(-batch // lanes)
    if not begin(table, given, batch, lanes, kept):
        return False
    shared, own, _, _ = angles_of(table, FIELDS)
    count = shared.offset.size
    trig, states = parts(kept, count + tiles * own.offset.size * lanes, tiles)
    values = np.zeros((tiles, out.shape[1], lanes), out.dtype)
    nothing, scales = np.empty((0, 0), out.dtype), np.empty((0, 2))
    sweeps.forward(plan_of(table), trig, count, nothing, scales, states, values, 0, tiles, True)
    rows_of_tiles(values, out)
    return True


@jit
def backward(
    table, seeds, row_step, column_step, observables, weights, weights_single, rows, rows_single,
    lanes, batch, kept,
):  # fmt: skip
    """Gradients by weights and rows, written one behind the other.

    Args:
        table: As for :func:`forward`.
        seeds: Address of the gradient by the values, of their precision.
        row_step: Numbers from one of its rows to the next.
        column_step: Numbers from one of its columns to the next.
        observables: How many columns.
        weights: Address for the gradient by the weights, 0 if it is not wanted.
        weights_single: Whether it is of single precision.
        rows: As for the weights.
        rows_single: Likewise.
        lanes: As for :func:`forward`.
        batch: Samples.
        kept: From there; is left as it is.
    """
    kept, (shared, own, _, _) = borrow(kept), angles_of(table, FIELDS)
    count, tiles = shared.offset.size, -(-batch // lanes)
    trig, states = parts(kept, count + tiles * own.offset.size * lanes, tiles)
    grad = np.empty((tiles, observables, lanes), kept.dtype)
    read_seeds(seeds, row_step, column_step, grad, batch)
    d_shared, d_own = np.zeros(count), np.zeros((tiles, own.offset.size, lanes), kept.dtype)
    nothing, scales = np.empty((0, 0), kept.dtype), np.empty((0, 2))
    no_lambdas = np.empty((0, 2, states.shape[2]), kept.dtype)
    sweeps.backward(
        plan_of(table), trig, count, nothing, scales, states.copy(), grad, no_lambdas, d_shared,
        d_own, nothing, 0, tiles,
    )  # fmt: skip
    pulled(table, FIELDS, batch, d_shared, d_own, weights, weights_single, rows, rows_single)
