"""Numba kernels: the innermost loops, on rows of numbers that never overlap."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from qvlm_qiskit.quantum.statevector.cpu.jit import inlined


@inlined
def fill(out, value):
    """``out = value``."""
    for t in range(out.size):
        out[t] = value


@inlined
def copy(out, x):
    """``out = x``."""
    for t in range(out.size):
        out[t] = x[t]


@inlined
def scale(out, factor, x):
    """``out = factor · x``."""
    for t in range(out.size):
        out[t] = factor * x[t]


@inlined
def add(out, factor, x):
    """``out += factor · x``."""
    for t in range(out.size):
        out[t] += factor * x[t]


@inlined
def combine(out, a, b, c, d, w, x, y, z):
    """``out = a·w + b·x + c·y + d·z``, number by number."""
    for t in range(out.size):
        out[t] = a[t] * w[t] + b[t] * x[t] + c[t] * y[t] + d[t] * z[t]


@inlined
def accumulate(out, a, b, c, d, w, x, y, z):
    """``out += a·w + b·x + c·y + d·z``, number by number."""
    for t in range(out.size):
        out[t] += a[t] * w[t] + b[t] * x[t] + c[t] * y[t] + d[t] * z[t]


@inlined
def total(x):
    """The sum of all numbers."""
    found = x[0] * 0
    for t in range(x.size):
        found += x[t]
    return found


@inlined
def every_fourth(out, x):
    """``out = x[0], x[4], x[8], …``."""
    for t in range(out.size):
        out[t] = x[4 * t]


@inlined
def to_every_fourth(out, factor, x):
    """The other way, times a factor."""
    for t in range(x.size):
        out[4 * t] = factor * x[t]
