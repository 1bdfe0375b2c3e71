"""Numba kernels: the last collapse of streams into one, forwards and backwards.

Arrays are as in :mod:`.kernels`, but for a projection and weights of n numbers per token.
"""

# Numba compiles these functions; their annotations would only slow the reader down.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np
from numba import uint64

from qvlm_qiskit.model.mhc.kernels import CHUNK, norm, products, weigh
from qvlm_qiskit.model.mhc.rows import add_row, put_row
from qvlm_qiskit.model.mhc.sinkhorn import ONE, TWO, ZERO
from qvlm_qiskit.quantum.statevector.cpu.jit import jit_for_any_number


@jit_for_any_number
def collapse(x, fn, base, scale, constants, streams, size, factors, kept, out, first, last):
    """Streams of the chunks first, …, last - 1 as one; ``kept`` gets projections and gates."""
    n, count, size = uint64(len(streams)), uint64(len(factors)), uint64(size)
    whole, one = n * size, x.dtype.type(1)
    pre, raw = np.zeros(n, x.dtype), np.zeros(n, x.dtype)
    for token in range(uint64(first) * CHUNK, min(uint64(last) * CHUNK, count)):
        at = token * whole
        products(x, at, fn, ZERO, raw, ZERO, n, whole)
        factors[token] = norm(x, at, whole, raw, ZERO, n, constants[1])
        for i in range(n):
            gate = one / (one + math.exp(-(raw[i] * scale[0] + base[i])))
            kept[token * TWO * n + i], kept[token * TWO * n + n + i] = raw[i], gate
            pre[i] = gate + constants[0]
        put_row(out, token * size, pre[0], x, at, size)
        weigh(pre, ZERO, ONE, ONE, x, at, out, token * size, n, size)


@jit_for_any_number
def collapse_back(
    x, fn, scale, constants, streams, size, factors, kept, d_out, d_x, d_fn, d_base, d_scale, first,
    last,
):  # fmt: skip
    """Gradients of the chunks first, …, last - 1; those of parameters chunk by chunk."""
    n, count, size = uint64(len(streams)), uint64(len(factors)), uint64(size)
    whole, one = n * size, x.dtype.type(1)
    d = np.zeros(n, x.dtype)
    for token in range(uint64(first) * CHUNK, min(uint64(last) * CHUNK, count)):
        at, to, chunk = token * whole, token * size, token // CHUNK
        products(d_out, to, x, at, d, ZERO, n, size)
        shrunk = x.dtype.type(0)
        for i in range(n):
            raw, gate = kept[token * TWO * n + i], kept[token * TWO * n + n + i]
            own = d[i] * (one - gate) * gate
            d_base[chunk * n + i] += own
            d_scale[chunk] += own * raw
            shrunk -= own * scale[0] * raw
            d[i] = own * scale[0] * factors[token]
        shrunk *= factors[token] * factors[token] / x.dtype.type(whole)
        for i in range(n):
            pre = kept[token * TWO * n + n + i] + constants[0]
            put_row(d_x, at + i * size, shrunk, x, at + i * size, size)
            add_row(d_x, at + i * size, pre, d_out, to, size)
            add_row(d_fn, (chunk * n + i) * whole, d[i], x, at, whole)
        weigh(d, ZERO, ONE, ZERO, fn, ZERO, d_x, at, n, whole)
