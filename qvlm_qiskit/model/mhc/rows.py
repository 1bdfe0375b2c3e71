"""Numba kernels: arithmetic of rows, which lie end to end in flat arrays."""

# Numba compiles these functions; their annotations would only slow the reader down.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

from numba import uint64

from qvlm_qiskit.quantum.statevector.cpu.jit import jit_for_any_number, jit_into_callers

TWO, THREE, FOUR, FIVE, SIX, SEVEN = (uint64(i) for i in range(2, 8))


@jit_into_callers
def dot(x, at, y, to, size):
    """The scalar product of two rows."""
    total = x.dtype.type(0)
    for k in range(size):
        total += x[at + k] * y[to + k]
    return total


@jit_into_callers
def four_dots(x, at, y, to, size):
    """The scalar products of a row with four neighbouring ones."""
    zero = x.dtype.type(0)
    a, b, c, d = zero, zero, zero, zero
    for k in range(size):
        a += x[at + k] * y[to + k]
        b += x[at + k] * y[to + size + k]
        c += x[at + k] * y[to + TWO * size + k]
        d += x[at + k] * y[to + THREE * size + k]
    return a, b, c, d


@jit_into_callers
def put_row(out, to, weight, x, at, size):
    """A row becomes another one, weighted."""
    for k in range(size):
        out[to + k] = weight * x[at + k]


@jit_into_callers
def add_row(out, to, weight, x, at, size):
    """A row, weighted, is added to another."""
    for k in range(size):
        out[to + k] += weight * x[at + k]


@jit_into_callers
def add_two_rows(out, at, p, x, to, q, y, size):
    """Two rows, weighted, are added to another; that of ``y`` begins where it does."""
    for k in range(size):
        out[at + k] += p * x[to + k] + q * y[at + k]


@jit_into_callers
def add_four_rows(out, to, p, q, r, s, x, at, size):
    """Four neighbouring rows, weighted, are added to another."""
    for k in range(size):
        both = p * x[at + k] + q * x[at + size + k]
        out[to + k] += both + r * x[at + TWO * size + k] + s * x[at + THREE * size + k]


@jit_into_callers
def add_eight_rows(out, to, p, q, r, s, a, b, c, d, x, at, size):
    """Eight neighbouring rows, weighted, are added to another."""
    for k in range(size):
        first = p * x[at + k] + q * x[at + size + k]
        second = r * x[at + TWO * size + k] + s * x[at + THREE * size + k]
        third = a * x[at + FOUR * size + k] + b * x[at + FIVE * size + k]
        fourth = c * x[at + SIX * size + k] + d * x[at + SEVEN * size + k]
        out[to + k] += (first + second) + (third + fourth)


@jit_for_any_number
def vanished(x, at, count):
    """0, or NaN where a number of a row is not finite: the row times 0."""
    for k in range(at, at + count):
        if not math.isfinite(x[k]):
            return x.dtype.type(math.nan)
    return x.dtype.type(0)
