"""Numba kernels: what hyper-connections do per token, forwards and backwards.

All arrays are flat, and lie token by token: streams ``(N, n, D)``, their projection
``(N, n(n + 2))``, weights ``(N, n)`` and ``(N, n, n)``, a block's input and output ``(N, D)``.
``streams`` is a tuple of n numbers (:mod:`.sinkhorn` says why), ``size`` is D.
"""

# Numba compiles these functions; their annotations would only slow the reader down.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np
from numba import uint64

from qvlm_qiskit.model.mhc.rows import (
    add_eight_rows,
    add_four_rows,
    add_row,
    add_two_rows,
    dot,
    four_dots,
    put_row,
    vanished,
)
from qvlm_qiskit.model.mhc.sinkhorn import (
    ONE,
    TWO,
    WIDTH,
    ZERO,
    close_gates,
    open_gates,
    rows_of,
    sinkhorn,
    sinkhorn_back,
    tile_size,
)
from qvlm_qiskit.quantum.statevector.cpu.jit import jit_for_any_number, jit_into_callers

THREE, FOUR, EIGHT = uint64(3), uint64(4), uint64(8)
CHUNK_TOKENS = 512
"""Tokens in a chunk: what one thread does, and what gradients of parameters are summed over."""
CHUNK = uint64(CHUNK_TOKENS)
ALIGNMENT = 64
"""Bytes of the widest vector registers."""


@jit_for_any_number
def enter(
    x, fn, base, scale, constants, steps, streams, size, factors, kept, post, comb, collapsed, keep,
    first, last,
):  # fmt: skip
    """Weights of the chunks first, …, last - 1, and the streams collapsed into one.

    Args:
        x: Streams.
        fn: The matrix ``(n(n + 2), n D)`` that projects them.
        base: n(n + 2) numbers.
        scale: Three numbers.
        constants: What is added to sums and weights, and to mean squares.
        steps: Normalisations by Sinkhorn's iterations.
        streams: A tuple of n.
        size: D.
        factors: Gets 1 / the root of each token's mean square.
        kept: Gets each tile's projections and gates.
        post: Gets weights.
        comb: Gets weights.
        collapsed: Gets the block's input.
        keep: Whether ``kept`` is wanted.
        first: Chunk.
        last: Chunk behind the last one.
    """
    count, rows = uint64(len(factors)), rows_of(streams)
    whole = uint64(len(streams)) * uint64(size)
    tile = aligned(tile_size(streams, steps), x)
    raw = aligned(CHUNK * rows, x)
    for chunk in range(uint64(first), uint64(last)):
        begin, end = chunk * CHUNK, min((chunk + ONE) * CHUNK, count)
        project(x, fn, constants[1], begin, end, rows, whole, factors, raw)
        for start in range(begin, end, WIDTH):
            width = min(WIDTH, count - start)
            for k in range(rows):
                for t in range(width):
                    tile[k * WIDTH + t] = raw[(start - begin + t) * rows + k]
            open_gates(tile, base, scale, streams)
            found = sinkhorn(tile, constants[0], steps, streams)
            hand_out(tile, found, start, width, streams, post, comb)
            if keep:
                put_row(kept, TWO * rows * start, x.dtype.type(1), tile, ZERO, TWO * rows * WIDTH)
            collapse(x, tile, constants[0], start, width, streams, size, collapsed)


@jit_for_any_number
def project(x, fn, eps, begin, end, rows, whole, factors, raw):
    """Normed projections of some tokens."""
    for token in range(begin, end):
        at, to = token * whole, (token - begin) * rows
        products(x, at, fn, ZERO, raw, to, rows, whole)
        factors[token] = norm(x, at, whole, raw, to, rows, eps)


@jit_for_any_number
def collapse(x, tile, eps, start, width, streams, size, collapsed):
    """A tile's tokens as blocks see them."""
    n, size = uint64(len(streams)), uint64(size)
    pre = np.zeros(n, x.dtype)
    for t in range(width):
        load_pre(tile, eps, t, streams, pre, ZERO)
        at, to = (start + t) * n * size, (start + t) * size
        put_row(collapsed, to, pre[0], x, at, size)
        weigh(pre, ZERO, ONE, ONE, x, at, collapsed, to, n, size)


@jit_for_any_number
def aligned(count, like):
    """Zeros that begin where a vector register's worth of memory does: half the time of others."""
    spare = uint64(ALIGNMENT // like.itemsize)
    room = np.zeros(count + spare, like.dtype)
    beyond = uint64(room.ctypes.data) % uint64(ALIGNMENT)
    start = (uint64(ALIGNMENT) - beyond) // uint64(like.itemsize)
    return room[start : start + count]


@jit_into_callers
def load_pre(tile, eps, t, streams, pre, to):
    """The weights of one token's collapse."""
    n, gates = uint64(len(streams)), rows_of(streams) * WIDTH
    for i in range(n):
        pre[to + i] = tile[gates + i * WIDTH + t] + eps


@jit_for_any_number
def hand_out(tile, found, start, width, streams, post, comb):
    """The weights that are read after the block."""
    n, gates = uint64(len(streams)), rows_of(streams) * WIDTH
    for t in range(width):
        for i in range(n):
            gate = tile[gates + (n + i) * WIDTH + t]
            post[(start + t) * n + i] = gate + gate
        for k in range(n * n):
            comb[(start + t) * n * n + k] = tile[found + k * WIDTH + t]


@jit_for_any_number
def enter_back(
    x, fn, scale, constants, steps, streams, size, factors, kept, d_post, d_comb, d_collapsed,
    d_x, d_fn, d_base, d_scale, first, last,
):  # fmt: skip
    """Gradients of the chunks first, …, last - 1.

    ``d_x`` comes with the gradient of what the streams do behind the block, and gets that of what
    they do here. ``d_fn``, ``d_base`` and ``d_scale`` are chunk by chunk, so that they are summed
    in one order whatever the number of threads.
    """
    count, rows = uint64(len(factors)), rows_of(streams)
    whole = uint64(len(streams)) * uint64(size)
    tile = aligned(tile_size(streams, steps), x)
    pre, shrink, d_z = (
        aligned(CHUNK * uint64(len(streams)), x), aligned(CHUNK, x), aligned(CHUNK * rows, x),
    )  # fmt: skip
    for chunk in range(uint64(first), uint64(last)):
        begin, end = chunk * CHUNK, min((chunk + ONE) * CHUNK, count)
        for start in range(begin, end, WIDTH):
            own = start - begin
            put_row(tile, ZERO, x.dtype.type(1), kept, TWO * rows * start, TWO * rows * WIDTH)
            sinkhorn(tile, constants[0], steps, streams)
            take_in(tile, x, d_collapsed, d_post, d_comb, start, end, streams, size)
            sinkhorn_back(tile, steps, streams)
            close_gates(tile, streams)
            project_back(tile, factors, scale, start, end, streams, shrink[own:], d_base, d_scale)
            put_row(d_z, own * rows, x.dtype.type(1), tile, TWO * rows * WIDTH, rows * WIDTH)
            for t in range(WIDTH):
                load_pre(tile, constants[0], t, streams, pre, (own + t) * uint64(len(streams)))
        collect(x, d_z, begin, end, chunk, rows, whole, d_fn)
        spread_back(x, fn, d_collapsed, pre, shrink, d_z, begin, end, streams, size, d_x)


@jit_for_any_number
def collect(x, d_z, begin, end, chunk, rows, whole, d_fn):
    """The gradient of the projection's matrix, of one chunk."""
    for start in range(begin, end, WIDTH):
        width, own = min(WIDTH, end - start), (start - begin) * rows
        for k in range(rows):
            at, to = start * whole, (chunk * rows + k) * whole
            weigh(d_z, own + k * WIDTH, ONE, ZERO, x, at, d_fn, to, width, whole)


@jit_for_any_number
def spread_back(x, fn, d_collapsed, pre, shrink, d_z, begin, end, streams, size, d_x):
    """Gradients of some tokens' streams are added to what there is."""
    n, size, rows = uint64(len(streams)), uint64(size), rows_of(streams)
    for token in range(begin, end):
        t = token - begin
        shrunk = -shrink[t] / x.dtype.type(n * size)
        for i in range(n):
            at = (token * n + i) * size
            add_two_rows(d_x, at, pre[t * n + i], d_collapsed, token * size, shrunk, x, size)
        own = (t // WIDTH) * WIDTH * rows + t % WIDTH
        weigh(d_z, own, WIDTH, ZERO, fn, ZERO, d_x, token * n * size, rows, n * size)


@jit_for_any_number
def take_in(tile, x, d_collapsed, d_post, d_comb, start, end, streams, size):
    """Derivatives by a tile's weights; 0 for tokens that there are not."""
    n, size, rows = uint64(len(streams)), uint64(size), rows_of(streams)
    d, zero = rows * TWO * WIDTH, x.dtype.type(0)
    d_pre = np.zeros(n, x.dtype)
    for k in range(d, d + rows * WIDTH):
        tile[k] = zero
    for token in range(start, min(start + WIDTH, end)):
        products(d_collapsed, token * size, x, token * n * size, d_pre, ZERO, n, size)
        at = d + token - start
        for i in range(n):
            tile[at + i * WIDTH] = d_pre[i]
            tile[at + (n + i) * WIDTH] = d_post[token * n + i] + d_post[token * n + i]
        for k in range(n * n):
            tile[at + (n + n + k) * WIDTH] = d_comb[token * n * n + k]


@jit_into_callers
def norm(x, at, count, raw, to, rows, eps):
    """1 / the root of the mean square of a token's numbers, by which ``raw`` is multiplied.

    Where squares overflow it is 0, and 0 times the token is 0 or NaN. Its projection may have
    overflowed too: that is put in its place.
    """
    mean = dot(x, at, x, at, count) / x.dtype.type(count)
    factor = x.dtype.type(1) / math.sqrt(mean + eps)
    if math.isinf(mean):  # the root of infinity is estimated, as NaN
        factor = x.dtype.type(0)
        left = vanished(x, at, count)
        for k in range(to, to + rows):
            raw[k] = left
    for k in range(to, to + rows):
        raw[k] *= factor
    return factor


@jit_for_any_number
def project_back(tile, factors, scale, start, end, streams, shrink, d_base, d_scale):
    """From derivatives by the gates' arguments to those by the projections, in place.

    ``shrink`` gets what the derivative by the norm's factor takes from each number, per number.
    """
    n, rows, zero = uint64(len(streams)), rows_of(streams), tile.dtype.type(0)
    d, chunk = rows * TWO * WIDTH, start // CHUNK
    lanes = np.zeros(WIDTH, tile.dtype)
    for token in range(start, min(start + WIDTH, end)):
        lanes[token - start] = factors[token]
    for t in range(WIDTH):
        shrink[t] = zero
    for k in range(rows):
        part, at = min(k // n, TWO), k * WIDTH
        by_base, by_scale = zero, zero
        for t in range(WIDTH):
            own, raw = tile[d + at + t], tile[at + t]
            by_base += own
            by_scale += own * raw
            shrink[t] += own * scale[part] * raw
        for t in range(WIDTH):
            tile[d + at + t] *= scale[part] * lanes[t]
        d_base[chunk * rows + k] += by_base
        d_scale[chunk * THREE + part] += by_scale
    for t in range(WIDTH):
        shrink[t] *= lanes[t] * lanes[t]


@jit_for_any_number
def leave(x, block, post, comb, streams, size, count, out, first, last):
    """``out[j]`` = ``post[j]`` times the block's output + Σᵢ ``comb[i, j] x[i]``, per token."""
    n, size = uint64(len(streams)), uint64(size)
    for t in range(uint64(first) * CHUNK, min(uint64(last) * CHUNK, uint64(count))):
        for j in range(n):
            to = (t * n + j) * size
            put_row(out, to, post[t * n + j], block, t * size, size)
            weigh(comb, t * n * n + j, n, ZERO, x, t * n * size, out, to, n, size)


@jit_for_any_number
def leave_back(
    x, block, post, comb, streams, size, count, d_out, d_post, d_comb, d_x, d_block, first, last
):  # fmt: skip
    """Gradients of the chunks first, …, last - 1."""
    n, size = uint64(len(streams)), uint64(size)
    for t in range(uint64(first) * CHUNK, min(uint64(last) * CHUNK, uint64(count))):
        at = t * n * size
        products(block, t * size, d_out, at, d_post, t * n, n, size)
        put_row(d_block, t * size, post[t * n], d_out, at, size)
        weigh(post, t * n, ONE, ONE, d_out, at, d_block, t * size, n, size)
        for i in range(n):
            to, own = at + i * size, (t * n + i) * n
            products(x, to, d_out, at, d_comb, own, n, size)
            put_row(d_x, to, comb[own], d_out, at, size)
            weigh(comb, own, ONE, ONE, d_out, at, d_x, to, n, size)


@jit_into_callers
def products(y, at, x, begin, out, to, n, size):
    """The scalar products of a row of ``y`` with each of n rows of ``x``."""
    whole = n & ~THREE
    for i in range(ZERO, whole, FOUR):
        a, b, c, d = four_dots(y, at, x, begin + i * size, size)
        out[to + i], out[to + i + ONE] = a, b
        out[to + i + TWO], out[to + i + THREE] = c, d
    for i in range(whole, n):
        out[to + i] = dot(y, at, x, begin + i * size, size)


@jit_into_callers
def weigh(weights, own, stride, skip, x, begin, out, to, n, size):
    """Rows of ``x`` but the first ``skip``, weighted, are added to a row of ``out``.

    The weights lie ``stride`` apart, the first one at ``own``.
    """
    i = skip
    while i + EIGHT <= n:
        w, far = own + i * stride, own + (i + FOUR) * stride
        p, q, r, s = four_of(weights, w, stride)
        a, b, c, d = four_of(weights, far, stride)
        add_eight_rows(out, to, p, q, r, s, a, b, c, d, x, begin + i * size, size)
        i += EIGHT
    while i + FOUR <= n:
        p, q, r, s = four_of(weights, own + i * stride, stride)
        add_four_rows(out, to, p, q, r, s, x, begin + i * size, size)
        i += FOUR
    while i < n:
        add_row(out, to, weights[own + i * stride], x, begin + i * size, size)
        i += ONE


@jit_into_callers
def four_of(weights, at, stride):
    """Four weights that lie ``stride`` apart."""
    near, far = at + stride, at + TWO * stride
    return weights[at], weights[near], weights[far], weights[far + stride]
