"""Numba kernels: the weights of hyper-connections for a tile of tokens, forwards and backwards.

A tile is one flat array of rows of ``LANES`` numbers, one per token: first the n(n + 2) normed
projections, then as many gates, then as many derivatives, then the matrices of Sinkhorn's
iterations, each with the n factors that made it from the one before. So every loop over a tile's
tokens reads and writes rows that lie a constant distance apart, and becomes vector instructions.

n is the length of ``streams``, a tuple: Numba compiles for each length, and its compiler unrolls
what runs over streams.
"""

# Numba compiles these functions; their annotations would only slow the reader down.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

from numba import uint64

from qvlm_qiskit.quantum.statevector.cpu.jit import jit_for_any_number

LANES = 16
"""Tokens in a tile: a vector register of float32."""
WIDTH = uint64(LANES)
ZERO, ONE, TWO = uint64(0), uint64(1), uint64(2)


@jit_for_any_number
def rows_of(streams):
    """Projections per token."""
    n = uint64(len(streams))
    return n * (n + TWO)


@jit_for_any_number
def tile_size(streams, steps):
    """Numbers in a tile with the matrices of so many steps, and of what they begin with."""
    n = uint64(len(streams))
    return (rows_of(streams) * uint64(3) + (n * n + n) * (uint64(steps) + ONE)) * WIDTH


@jit_for_any_number
def open_gates(tile, base, scale, streams):
    """Gates of the tile's projections: 2n sigmoids, and the softmax of each of n rows of n."""
    n, rows = uint64(len(streams)), rows_of(streams)
    gates = rows * WIDTH
    for k in range(rows):
        part = min(k // n, TWO)
        for t in range(WIDTH):
            tile[gates + k * WIDTH + t] = tile[k * WIDTH + t] * scale[part] + base[k]
    arguments(tile, streams)
    for k in range(gates, gates + gates):
        tile[k] = math.exp(tile[k])
    one = tile.dtype.type(1)
    for t in range(WIDTH):
        for k in range(n + n):
            tile[gates + k * WIDTH + t] = one / (one + tile[gates + k * WIDTH + t])
        for i in range(TWO, n + TWO):
            total = tile[gates + i * n * WIDTH + t]
            for j in range(ONE, n):
                total += tile[gates + (i * n + j) * WIDTH + t]
            factor = one / total
            for j in range(n):
                tile[gates + (i * n + j) * WIDTH + t] *= factor


@jit_for_any_number
def arguments(tile, streams):
    """What the exponential is taken of."""
    n = uint64(len(streams))
    gates = rows_of(streams) * WIDTH
    for t in range(WIDTH):
        for k in range(n + n):
            tile[gates + k * WIDTH + t] = -tile[gates + k * WIDTH + t]
        for i in range(TWO, n + TWO):
            top = tile[gates + i * n * WIDTH + t]
            for j in range(ONE, n):
                top = max(top, tile[gates + (i * n + j) * WIDTH + t])
            for j in range(n):
                tile[gates + (i * n + j) * WIDTH + t] -= top


@jit_for_any_number
def sinkhorn(tile, eps, steps, streams):
    """The softmax + eps, normalised ``steps`` times, by columns and by rows in turn.

    Returns:
        Where the last matrix begins.
    """
    n, rows = uint64(len(streams)), rows_of(streams)
    at, record = rows * uint64(3) * WIDTH, (n * n + n) * WIDTH
    for k in range(n * n):
        for t in range(WIDTH):
            tile[at + k * WIDTH + t] = tile[(rows + n + n + k) * WIDTH + t] + eps
    for step in range(uint64(steps)):
        if step & ONE:
            normalise_rows(tile[at:], eps, streams)
        else:
            normalise_columns(tile[at:], eps, streams)
        at += record
    return at


@jit_for_any_number
def normalise_columns(m, eps, streams):
    """The next matrix: each entry over its column's sum + eps."""
    n, one = uint64(len(streams)), m.dtype.type(1)
    after = (n * n + n) * WIDTH
    for t in range(WIDTH):
        for j in range(n):
            total = eps
            for i in range(n):
                total += m[(i * n + j) * WIDTH + t]
            factor = one / total
            m[after + (n * n + j) * WIDTH + t] = factor
            for i in range(n):
                m[after + (i * n + j) * WIDTH + t] = m[(i * n + j) * WIDTH + t] * factor


@jit_for_any_number
def normalise_rows(m, eps, streams):
    """The next matrix: each entry over its row's sum + eps."""
    n, one = uint64(len(streams)), m.dtype.type(1)
    after = (n * n + n) * WIDTH
    for t in range(WIDTH):
        for i in range(n):
            total = eps
            for j in range(n):
                total += m[(i * n + j) * WIDTH + t]
            factor = one / total
            m[after + (n * n + i) * WIDTH + t] = factor
            for j in range(n):
                m[after + (i * n + j) * WIDTH + t] = m[(i * n + j) * WIDTH + t] * factor


@jit_for_any_number
def sinkhorn_back(tile, steps, streams):
    """The derivative by the softmax, from that by the last matrix, in place."""
    n, rows = uint64(len(streams)), rows_of(streams)
    record = (n * n + n) * WIDTH
    d = tile[(rows + rows + n + n) * WIDTH : rows * uint64(3) * WIDTH]
    at = rows * uint64(3) * WIDTH + uint64(steps) * record
    for left in range(uint64(steps), ZERO, -1):
        if left & ONE:
            columns_back(tile[at:], d, streams)
        else:
            rows_back(tile[at:], d, streams)
        at -= record


@jit_for_any_number
def columns_back(m, d, streams):
    """Through what made the matrix ``m``."""
    n = uint64(len(streams))
    for t in range(WIDTH):
        for j in range(n):
            total = d[j * WIDTH + t] * m[j * WIDTH + t]
            for i in range(ONE, n):
                total += d[(i * n + j) * WIDTH + t] * m[(i * n + j) * WIDTH + t]
            factor = m[(n * n + j) * WIDTH + t]
            for i in range(n):
                k = (i * n + j) * WIDTH + t
                d[k] = (d[k] - total) * factor


@jit_for_any_number
def rows_back(m, d, streams):
    """Through what made the matrix ``m``."""
    n = uint64(len(streams))
    for t in range(WIDTH):
        for i in range(n):
            total = d[i * n * WIDTH + t] * m[i * n * WIDTH + t]
            for j in range(ONE, n):
                total += d[(i * n + j) * WIDTH + t] * m[(i * n + j) * WIDTH + t]
            factor = m[(n * n + i) * WIDTH + t]
            for j in range(n):
                k = (i * n + j) * WIDTH + t
                d[k] = (d[k] - total) * factor


@jit_for_any_number
def close_gates(tile, streams):
    """Derivatives by the gates to those by their arguments, in place."""
    n, rows, one = uint64(len(streams)), rows_of(streams), tile.dtype.type(1)
    gates, d = rows * WIDTH, (rows + rows) * WIDTH
    for t in range(WIDTH):
        for k in range(n + n):
            gate = tile[gates + k * WIDTH + t]
            tile[d + k * WIDTH + t] *= (one - gate) * gate
        for i in range(TWO, n + TWO):
            total = tile[d + i * n * WIDTH + t] * tile[gates + i * n * WIDTH + t]
            for k in range(i * n + ONE, i * n + n):
                total += tile[d + k * WIDTH + t] * tile[gates + k * WIDTH + t]
            for k in range(i * n, i * n + n):
                left = tile[d + k * WIDTH + t] - total
                tile[d + k * WIDTH + t] = left * tile[gates + k * WIDTH + t]
