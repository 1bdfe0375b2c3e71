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
