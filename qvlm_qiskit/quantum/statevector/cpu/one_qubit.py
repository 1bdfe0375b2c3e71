"""Numba kernels for the 2×2 matrices of fused single-qubit gates, one per sample.

A matrix is eight rows of L numbers, (re, im) of its entries row by row, with the sample index
running fastest; a gate that all samples share is the case L = 1. The rows lie `STRIDE` numbers
apart, however many samples there are, in a flat array of several matrices: with distances that are
constants, a loop needs no check whether what it reads and what it writes overlap (such checks took
most of a small circuit's time). A gate's factors are rotations exp(-iθP/2) about X, Y or Z (axis
0, 1, 2), whose half angles come as cosines and sines, and constant matrices (axis 3).
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import uint64

from qvlm_qiskit.quantum.statevector.cpu.arrays import (
    MATRIX,
    SECOND,
    STRIDE,
    borrowed_space,
    column,
    set_column,
    work_space,
)
from qvlm_qiskit.quantum.statevector.cpu.borrowed import borrow, hold
from qvlm_qiskit.quantum.statevector.cpu.jit import inlined, within


@inlined
def turn_x(c, s, ar, ai, br, bi):
    """The column (a, b) times exp(-iθX/2)."""
    return c * ar + s * bi, c * ai - s * br, c * br + s * ai, c * bi - s * ar


@inlined
def turn_y(c, s, ar, ai, br, bi):
    """The column (a, b) times exp(-iθY/2)."""
    return c * ar - s * br, c * ai - s * bi, c * br + s * ar, c * bi + s * ai


@inlined
def turn_z(c, s, ar, ai, br, bi):
    """The column (a, b) times exp(-iθZ/2)."""
    return c * ar + s * ai, c * ai - s * ar, c * br - s * bi, c * bi + s * br


@inlined
def rotate(axis, cos, sin, sign, m, first):
    """Write exp(∓iθP/2)·m for sign = ±1 behind the matrix m that begins at ``first``."""
    first, lanes = uint64(first), uint64(cos.size)
    if axis == 0:
        for lane in range(uint64(0), lanes):
            at, c, s = first + lane, cos[lane], sign * sin[lane]
            set_column(m, at + MATRIX, turn_x(c, s, *column(m, at)))
            set_column(m, at + SECOND + MATRIX, turn_x(c, s, *column(m, at + SECOND)))
    elif axis == 1:
        for lane in range(uint64(0), lanes):
            at, c, s = first + lane, cos[lane], sign * sin[lane]
            set_column(m, at + MATRIX, turn_y(c, s, *column(m, at)))
            set_column(m, at + SECOND + MATRIX, turn_y(c, s, *column(m, at + SECOND)))
    else:
        for lane in range(uint64(0), lanes):
            at, c, s = first + lane, cos[lane], sign * sin[lane]
            set_column(m, at + MATRIX, turn_z(c, s, *column(m, at)))
            set_column(m, at + SECOND + MATRIX, turn_z(c, s, *column(m, at + SECOND)))


@inlined
def multiply_constant(u00, u01, u10, u11, m, first, lanes):
    """Write u·m for a constant 2×2 matrix u behind the matrix m that begins at ``first``."""
    for start in (uint64(first), uint64(first) + SECOND):
        for at in range(start, start + uint64(lanes)):
            ar, ai, br, bi = column(m, at)
            x, y = complex(ar, ai), complex(br, bi)
            v, w = u00 * x + u01 * y, u10 * x + u11 * y
            set_column(m, at + MATRIX, (v.real, v.imag, w.real, w.imag))


@inlined
def slope(axis, k, k_first, m, first, out):
    """Write Re Σ K ∘ (-i P m) per sample: 2 Re Σ K ∘ ∂m/∂θ for m = exp(-iθP/2)·(…).

    K begins at ``k_first`` and m at ``first``.
    """
    k_first, first, lanes = uint64(k_first), uint64(first), uint64(out.size)
    for lane in range(uint64(0), lanes):
        out[lane] = 0
    for part in (uint64(0), SECOND):
        if axis == 0:
            for lane in range(uint64(0), lanes):
                kr, ki, lr, li = column(k, k_first + part + lane)
                ar, ai, br, bi = column(m, first + part + lane)
                out[lane] += kr * bi + ki * br + lr * ai + li * ar
        elif axis == 1:
            for lane in range(uint64(0), lanes):
                kr, ki, lr, li = column(k, k_first + part + lane)
                ar, ai, br, bi = column(m, first + part + lane)
                out[lane] += ki * bi - kr * br + lr * ar - li * ai
        else:
            for lane in range(uint64(0), lanes):
                kr, ki, lr, li = column(k, k_first + part + lane)
                ar, ai, br, bi = column(m, first + part + lane)
                out[lane] += kr * ai + ki * ar - lr * bi - li * br


@inlined
def half_angle(is_batched, index, shared, batched, cos, sin):
    """Write cos and sin of θ/2; of ``shared`` there are (n_shared,), of ``batched`` (n, L)."""
    if is_batched:
        for lane in range(uint64(0), uint64(batched[0].shape[1])):
            cos[lane], sin[lane] = batched[0][index, lane], batched[1][index, lane]
    else:
        c, s = shared[0][index], shared[1][index]
        for lane in range(uint64(0), uint64(cos.size)):
            cos[lane], sin[lane] = c, s


@inlined
def constant(m, lanes, value):
    """Write a multiple of the identity matrix for every sample."""
    for e in range(uint64(8)):
        number = m.dtype.type(value if e == 0 or e == 6 else 0)
        for lane in range(uint64(0), uint64(lanes)):
            m[e * STRIDE + lane] = number


@inlined
def add_gradient(is_batched, index, slopes, d_shared, d_batched):
    """Add the gradient of one angle: per sample, or summed over them; d_batched is (n, L)."""
    lanes = uint64(d_batched.shape[1])
    if is_batched:
        for lane in range(uint64(0), lanes):
            d_batched[index, lane] += slopes[lane]
    else:
        total = 0.0
        for lane in range(uint64(0), lanes):
            total += slopes[lane]
        d_shared[index] += total


@inlined
def products(first, last, factors, constants, shared, batched, cos, sin, prefix):
    """The products of a gate's first 0, 1, … factors, ``prefix`` is their matrices in turn."""
    constant(prefix, cos.size, 1)
    for f in range(last - first):
        axis, varies, index = factors[first + f]
        if axis == 3:
            u = constants[index]
            multiply_constant(
                u[0, 0], u[0, 1], u[1, 0], u[1, 1], prefix, uint64(f) * MATRIX, cos.size
            )
        else:
            half_angle(varies, index, shared, batched, cos, sin)
            rotate(axis, cos, sin, np.int64(1), prefix, uint64(f) * MATRIX)


@inlined
def gradients(
    first, last, factors, constants, shared, batched, cos, sin, prefix, k, total, d_shared,
    d_batched,
):  # fmt: skip
    """Add 2 Re Σ K ∘ ∂M/∂θ for every angle θ of one gate M.

    ``prefix`` holds its :func:`products`. ``k`` begins with K; what follows is scratch for one more
    matrix per factor, as is ``total``. ``d_shared`` is (n_shared,) and ``d_batched`` (n_batched,
    L).
    """
    at = uint64(0)
    for f in range(last - first - 1, -1, -1):
        axis, varies, index = factors[first + f]
        # K becomes Aᵀ K, where A is the product of the factors after this one
        if axis == 3:
            u = constants[index]
            multiply_constant(u[0, 0], u[1, 0], u[0, 1], u[1, 1], k, at, cos.size)
            at += MATRIX
            continue
        slope(axis, k, at, prefix, uint64(f + 1) * MATRIX, total)
        add_gradient(varies, index, total, d_shared, d_batched)
        if f:
            half_angle(varies, index, shared, batched, cos, sin)
            rotate(axis, cos, sin, -1 if axis == 1 else 1, k, at)
            at += MATRIX


@inlined
def gate_products(plan, g, shared, batched, work):
    """The products of one gate's factors, in ``work.prefix``; returns the gate's matrix."""
    first, last = plan.gate_factors[g], plan.gate_factors[g + 1]
    products(
        first, last, plan.factors, plan.constants, shared, batched, work.cos, work.sin, work.prefix
    )
    at = uint64(last - first) * MATRIX
    return work.prefix[at : at + MATRIX]


@inlined
def gate_gradients(plan, g, shared, batched, work, d_shared, d_batched):
    """Gradients of one gate's angles from ``work.k`` and its products in ``work.prefix``."""
    gradients(
        plan.gate_factors[g], plan.gate_factors[g + 1], plan.factors, plan.constants, shared,
        batched, work.cos, work.sin, work.prefix, work.k, work.total, d_shared, d_batched,
    )  # fmt: skip


@inlined
def angles_of(trig, num_shared, tile, lanes, tiles):
    """Cosines and sines of a tile's half angles: those of its own, (n_batched, L).

    ``trig`` is (2, n_shared + tiles·n_batched·L), the shared ones first.
    """
    size = (trig.shape[1] - num_shared) // tiles
    first = num_shared + tile * size
    cos = trig[0, first : first + size].reshape(size // lanes, lanes)
    sin = trig[1, first : first + size].reshape(size // lanes, lanes)
    return cos, sin


@within
def shared_matrices(plan, shared, out):
    """The 2×2 matrices of the gates that all samples share: out is (n_gates, 8)."""
    memory = work_space(plan.gate_factors, np.int64(1), out)
    work, empty = borrowed_space(memory), np.empty((0, 1), out.dtype)
    nothing = borrow(empty)
    none = nothing, nothing
    for g in range(out.shape[0]):
        if not plan.gate_batched[g]:
            m = gate_products(plan, g, shared, none, work)
            for e in range(8):
                out[g, e] = m[uint64(e) * STRIDE]
    hold((memory, empty))


@within
def shared_gradients(plan, shared, totals, d_shared):
    """Add the gradients of shared gates from their K, summed over all samples: (n_gates, 8)."""
    memory = work_space(plan.gate_factors, np.int64(1), shared[0])
    work, empty = borrowed_space(memory), np.empty((0, 1), shared[0].dtype)
    nothing = borrow(empty)
    none = nothing, nothing
    for g in range(totals.shape[0]):
        if not plan.gate_batched[g]:
            gate_products(plan, g, shared, none, work)
            for e in range(8):
                work.k[uint64(e) * STRIDE] = totals[g, e]
            gate_gradients(plan, g, shared, none, work, d_shared, nothing)
    hold((memory, empty))
