"""Numba kernels: from a call's tensors to a plan's angles, and from their gradients back.

Tensors come as addresses, strides and whether their numbers are single: what Numba does with an
array that it is given costs as much as a small circuit. A plan comes as one array of integers, the
addresses and shapes of its arrays (`executors.at_once.table_of` makes it).
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic

from qvlm_qiskit.quantum.statevector.cpu.borrowed import borrow, hold
from qvlm_qiskit.quantum.statevector.cpu.jit import inlined

MODERATE = 40
"""Numbers below 2 to this power are looked at no further: no angle of them is too large."""
_SINGLE = (127 + MODERATE) << 23
_DOUBLE = (1023 + MODERATE) << 52


class Affine(NamedTuple):
    """Angles as affine functions of weights and of a row's inputs, entry by entry.

    Attributes:
        offset: Of every angle.
        input_row: The angle of every entry.
        input_column: Its input.
        input_slope: Its factor.
        weight_row: The same of weights.
        weight_column: Likewise.
        weight_slope: Likewise.
    """

    offset: Any
    input_row: Any
    input_column: Any
    input_slope: Any
    weight_row: Any
    weight_column: Any
    weight_slope: Any


class Given(NamedTuple):
    """Weights ``(n_weights,)`` and rows ``(B, n_inputs)`` as they lie in memory.

    Attributes:
        weights: Their address; 0 where there are none.
        weight_step: Numbers from one weight to the next.
        weights_single: Whether they are single, not double.
        rows: As for the weights.
        row_step: Numbers from one row to the next.
        column_step: Numbers from one input to the next.
        rows_single: As for the weights.
    """

    weights: int
    weight_step: int
    weights_single: bool
    rows: int
    row_step: int
    column_step: int
    rows_single: bool


@intrinsic
def pointer(typing, address):
    """An address as a pointer."""

    def write(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), write


@inlined
def vector(table, field, dtype):
    """An array of a table, with one axis."""
    return carray(pointer(table[4 * field]), (table[4 * field + 1],), dtype)


@inlined
def matrix(table, field, dtype):
    """An array of a table, with two axes."""
    at = 4 * field
    return carray(pointer(table[at]), (table[at + 1], table[at + 2]), dtype)


@inlined
def cube(table, field, dtype):
    """An array of a table, with three axes."""
    at = 4 * field
    return carray(pointer(table[at]), (table[at + 1], table[at + 2], table[at + 3]), dtype)


@inlined
def affine(table, field):
    """The angles whose arrays begin at a field of a table."""
    return Affine(
        vector(table, field, np.float64),
        vector(table, field + 1, np.int64),
        vector(table, field + 2, np.int64),
        vector(table, field + 3, np.float64),
        vector(table, field + 4, np.int64),
        vector(table, field + 5, np.int64),
        vector(table, field + 6, np.float64),
    )


@inlined
def angles_of(table, field):
    """The shared angles of a table, the others, and how many weights and inputs there are.

    Their arrays begin at a field, the numbers stand at the end.
    """
    shared, own = affine(table, field), affine(table, field + 7)
    return shared, own, table[table.size - 2], table[table.size - 1]


@inlined
def bound(table, field, given, batch, lanes, angles):
    """Angles from parameters: the shared ones, then tile by tile; whether all are moderate."""
    shared, own, num_weights, num_inputs = angles_of(table, field)
    count, tiles = shared.offset.size, -(-batch // lanes)
    memory = np.empty(num_weights), np.empty((batch, num_inputs)), np.empty(own.offset.size)
    weights, rows, for_all = borrow(memory[0]), borrow(memory[1]), borrow(memory[2])
    varying = angles[count:].reshape(tiles, own.offset.size, lanes)
    fine = bind(shared, own, given, weights, rows, angles[:count], varying, for_all)
    hold(memory)
    return fine


@inlined
def pulled(table, field, batch, d_shared, d_own, weights, weights_single, rows, rows_single):
    """Gradients by weights and rows to their addresses, from those by angles; 0: not wanted."""
    shared, own, num_weights, num_inputs = angles_of(table, field)
    memory = np.empty(num_weights), np.empty((batch, num_inputs))
    by_weights, by_rows = borrow(memory[0]), borrow(memory[1])
    pull(shared, own, d_shared, d_own, by_weights, by_rows)
    if weights:
        write(by_weights, weights, weights_single)
    if rows:
        write(by_rows.ravel(), rows, rows_single)
    hold(memory)


@inlined
def read(address, step, single, out):
    """Numbers in memory as doubles; whether all are finite and of moderate size."""
    count = out.size
    # integers, since fast arithmetic knows neither NaN nor infinity
    if single:
        numbers = carray(pointer(address), (count * step,), np.float32)
        bits, most = carray(pointer(address), (count * step,), np.uint32), np.uint32(0)
        for i in range(count):
            out[i] = numbers[i * step]
            most = max(most, bits[i * step] & np.uint32(0x7FFFFFFF))
        return most < np.uint32(_SINGLE)
    doubles = carray(pointer(address), (count * step,), np.float64)
    wide, largest = carray(pointer(address), (count * step,), np.uint64), np.uint64(0)
    for i in range(count):
        out[i] = doubles[i * step]
        largest = max(largest, wide[i * step] & np.uint64(0x7FFFFFFFFFFFFFFF))
    return largest < np.uint64(_DOUBLE)


@inlined
def write(numbers, address, single):
    """Doubles to memory, one behind the other."""
    if single:
        singles = carray(pointer(address), (numbers.size,), np.float32)
        for i in range(numbers.size):
            singles[i] = numbers[i]
    else:
        doubles = carray(pointer(address), (numbers.size,), np.float64)
        for i in range(numbers.size):
            doubles[i] = numbers[i]


@inlined
def bind(shared, own, given, weights, rows, common, varying, for_all):
    """Read weights and rows, and compute their angles; whether all are of moderate size.

    Args:
        shared: The angles that all samples share.
        own: The others.
        given: The tensors.
        weights: Receives the weights.
        rows: Receives the rows.
        common: Receives the shared angles.
        varying: Receives the others, (n_tiles, n, L); what a last tile lacks is 0.
        for_all: Scratch, (n,).
    """
    fine = read(given.weights, given.weight_step, given.weights_single, weights)
    size = 4 if given.rows_single else 8
    for sample in range(rows.shape[0]):
        address = given.rows + sample * given.row_step * size
        fine = read(address, given.column_step, given.rows_single, rows[sample]) and fine
    if not fine:
        return False
    with_weights(shared, weights, common)
    with_weights(own, weights, for_all)
    lanes = varying.shape[2]
    for tile in range(varying.shape[0]):
        there = min(lanes, rows.shape[0] - tile * lanes)
        for angle in range(for_all.size):
            for lane in range(lanes):
                varying[tile, angle, lane] = for_all[angle] if lane < there else 0.0
        for e in range(own.input_row.size):
            angle, column, slope = own.input_row[e], own.input_column[e], own.input_slope[e]
            for lane in range(there):
                varying[tile, angle, lane] += slope * rows[tile * lanes + lane, column]
    return True


@inlined
def with_weights(angles, weights, out):
    """Offsets, and what weights add to them."""
    for angle in range(angles.offset.size):
        out[angle] = angles.offset[angle]
    for e in range(angles.weight_row.size):
        out[angles.weight_row[e]] += angles.weight_slope[e] * weights[angles.weight_column[e]]


@inlined
def read_seeds(address, row_step, column_step, out, batch):
    """The gradient by values ``(B, n_observables)``, of the precision of ``out``, in its tiles."""
    tiles, columns, lanes = out.shape
    size = batch * row_step + columns * column_step
    seeds = carray(pointer(address), (size,), out.dtype)
    for tile in range(tiles):
        for column in range(columns):
            for lane in range(lanes):
                sample = tile * lanes + lane
                if sample < batch:
                    out[tile, column, lane] = seeds[sample * row_step + column * column_step]
                else:
                    out[tile, column, lane] = 0


@inlined
def rows_of_tiles(tiles, out):
    """(n_tiles, n, L) as rows ``(B, n)``."""
    lanes = tiles.shape[2]
    for sample in range(out.shape[0]):
        tile, lane = sample // lanes, sample % lanes
        for column in range(out.shape[1]):
            out[sample, column] = tiles[tile, column, lane]


@inlined
def pull(shared, own, common, varying, weights, rows):
    """Gradients by parameters from those by angles.

    Args:
        shared: As for :func:`bind`.
        own: As there.
        common: The gradient by the shared angles.
        varying: By the others, (n_tiles, n, L).
        weights: Receives that by the weights.
        rows: Receives that by the rows.
    """
    lanes = varying.shape[2]
    weights[:] = 0
    for e in range(shared.weight_row.size):
        weights[shared.weight_column[e]] += shared.weight_slope[e] * common[shared.weight_row[e]]
    for e in range(own.weight_row.size):
        total = 0.0
        for sample in range(rows.shape[0]):
            total += varying[sample // lanes, own.weight_row[e], sample % lanes]
        weights[own.weight_column[e]] += own.weight_slope[e] * total
    rows[:] = 0
    for e in range(own.input_row.size):
        angle, column, slope = own.input_row[e], own.input_column[e], own.input_slope[e]
        for sample in range(rows.shape[0]):
            rows[sample, column] += slope * varying[sample // lanes, angle, sample % lanes]
