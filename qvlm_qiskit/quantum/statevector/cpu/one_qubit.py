"""Numba kernels for the 2×2 matrices of fused single-qubit gates, one per sample.

A matrix is eight rows of L numbers, (re, im) of its entries row by row, with the sample index
running fastest; a gate that all samples share is the case L = 1. A gate's factors are rotations
exp(-iθP/2) about X, Y or Z (axis 0, 1, 2), whose half angles come as cosines and sines, and
constant matrices (axis 3).
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import uint64

from qvlm_qiskit.quantum.statevector.cpu.arrays import work_space
from qvlm_qiskit.quantum.statevector.cpu.jit import jit


@jit
def rotate(axis, cos, sin, sign, m, out):
    """Write exp(∓iθP/2)·m for sign = ±1; out must be another array than m."""
    for j in range(2):
        a, b = 2 * j, 4 + 2 * j
        for lane in range(uint64(0), uint64(cos.size)):
            c, s = cos[lane], sign * sin[lane]
            ar, ai, br, bi = m[a, lane], m[a + 1, lane], m[b, lane], m[b + 1, lane]
            if axis == 0:
                out[a, lane], out[a + 1, lane] = c * ar + s * bi, c * ai - s * br
                out[b, lane], out[b + 1, lane] = c * br + s * ai, c * bi - s * ar
            elif axis == 1:
                out[a, lane], out[a + 1, lane] = c * ar - s * br, c * ai - s * bi
                out[b, lane], out[b + 1, lane] = c * br + s * ar, c * bi + s * ai
            else:
                out[a, lane], out[a + 1, lane] = c * ar + s * ai, c * ai - s * ar
                out[b, lane], out[b + 1, lane] = c * br - s * bi, c * bi + s * br


@jit
def multiply_constant(u00, u01, u10, u11, m, out):
    """Write u·m for a constant 2×2 matrix u; out must be another array than m."""
    for j in range(2):
        a, b = 2 * j, 4 + 2 * j
        for lane in range(uint64(0), uint64(m.shape[1])):
            x, y = complex(m[a, lane], m[a + 1, lane]), complex(m[b, lane], m[b + 1, lane])
            v, w = u00 * x + u01 * y, u10 * x + u11 * y
            out[a, lane], out[a + 1, lane] = v.real, v.imag
            out[b, lane], out[b + 1, lane] = w.real, w.imag


@jit
def slope(axis, k, m, out):
    """Write Re Σ K ∘ (-i P m) per sample: 2 Re Σ K ∘ ∂m/∂θ for m = exp(-iθP/2)·(…)."""
    for lane in range(uint64(0), uint64(out.size)):
        value = 0.0
        for a in (0, 2):
            ar, ai, br, bi = m[a, lane], m[a + 1, lane], m[a + 4, lane], m[a + 5, lane]
            kr, ki, lr, li = k[a, lane], k[a + 1, lane], k[a + 4, lane], k[a + 5, lane]
            if axis == 0:
                value += kr * bi + ki * br + lr * ai + li * ar
            elif axis == 1:
                value += ki * bi - kr * br + lr * ar - li * ai
            else:
                value += kr * ai + ki * ar - lr * bi - li * br
        out[lane] = value


@jit
def half_angle(is_batched, index, shared, batched, cos, sin):
    """Write cos and sin of θ/2; of ``shared`` there are (n_shared,), of ``batched`` (n, L)."""
    for lane in range(cos.size):
        if is_batched:
            cos[lane], sin[lane] = batched[0][index, lane], batched[1][index, lane]
        else:
            cos[lane], sin[lane] = shared[0][index], shared[1][index]


@jit
def identity(m):
    """Write the identity matrix for every sample."""
    for e in range(8):
        for lane in range(m.shape[1]):
            m[e, lane] = 1 if e == 0 or e == 6 else 0


@jit
def copy(m, out):
    """Copy the matrices of all samples."""
    for e in range(8):
        for lane in range(uint64(0), uint64(m.shape[1])):
            out[e, lane] = m[e, lane]


@jit
def add_gradient(is_batched, index, slopes, d_shared, d_batched):
    """Add the gradient of one angle: per sample, or summed over them."""
    for lane in range(slopes.size):
        if is_batched:
            d_batched[index, lane] += slopes[lane]
        else:
            d_shared[index] += slopes[lane]


@jit
def products(first, last, factors, constants, shared, batched, cos, sin, prefix):
    """The products of a gate's first 0, 1, … factors: prefix is (≥ last - first + 1, 8, L)."""
    identity(prefix[0])
    for f in range(last - first):
        factor = factors[first + f]
        if factor[0] == 3:
            u = constants[factor[2]]
            multiply_constant(u[0, 0], u[0, 1], u[1, 0], u[1, 1], prefix[f], prefix[f + 1])
        else:
            half_angle(factor[1], factor[2], shared, batched, cos, sin)
            rotate(factor[0], cos, sin, np.int64(1), prefix[f], prefix[f + 1])


@jit
def gradients(
    first, last, factors, constants, shared, batched, cos, sin, prefix, k, work, total,
    d_shared, d_batched,
):  # fmt: skip
    """Add 2 Re Σ K ∘ ∂M/∂θ for every angle θ of one gate M.

    ``prefix`` holds its :func:`products`. ``k``, (8, L), is K and is used up, as ``work`` and
    ``total``; ``d_shared`` is (n_shared,) and ``d_batched`` (n_batched, L).
    """
    for f in range(last - first - 1, -1, -1):
        factor = factors[first + f]
        # K becomes Aᵀ K, where A is the product of the factors after this one
        if factor[0] == 3:
            u = constants[factor[2]]
            multiply_constant(u[0, 0], u[1, 0], u[0, 1], u[1, 1], k, work)
            copy(work, k)
            continue
        slope(factor[0], k, prefix[f + 1], total)
        add_gradient(factor[1], factor[2], total, d_shared, d_batched)
        if f:
            half_angle(factor[1], factor[2], shared, batched, cos, sin)
            rotate(factor[0], cos, sin, -1 if factor[0] == 1 else 1, k, work)
            copy(work, k)


@jit
def gate_products(plan, g, shared, batched, work):
    """The products of one gate's factors, in ``work.prefix``; returns the gate's matrix."""
    first, last = plan.gate_factors[g], plan.gate_factors[g + 1]
    products(
        first, last, plan.factors, plan.constants, shared, batched, work.cos, work.sin, work.prefix
    )
    return work.prefix[last - first]


@jit
def gate_gradients(plan, g, shared, batched, work, d_shared, d_batched):
    """Gradients of one gate's angles from ``work.k`` and its products in ``work.prefix``."""
    gradients(
        plan.gate_factors[g], plan.gate_factors[g + 1], plan.factors, plan.constants, shared,
        batched, work.cos, work.sin, work.prefix, work.k, work.other, work.total, d_shared,
        d_batched,
    )  # fmt: skip


@jit
def angles_of(trig, num_shared, tile, lanes, tiles):
    """Cosines and sines of a tile's half angles: those of its own, (n_batched, L).

    ``trig`` is (2, n_shared + tiles·n_batched·L), the shared ones first.
    """
    size = (trig.shape[1] - num_shared) // tiles
    first = num_shared + tile * size
    cos = trig[0, first : first + size].reshape(size // lanes, lanes)
    sin = trig[1, first : first + size].reshape(size // lanes, lanes)
    return cos, sin


@jit
def shared_matrices(plan, shared, out):
    """The 2×2 matrices of the gates that all samples share: out is (n_gates, 8)."""
    work = work_space(plan.gate_factors, np.int64(1), out)
    nothing = np.empty((0, 1), out.dtype)
    none = nothing, nothing
    for g in range(out.shape[0]):
        if not plan.gate_batched[g]:
            m = gate_products(plan, g, shared, none, work)
            for e in range(8):
                out[g, e] = m[e, 0]


@jit
def shared_gradients(plan, shared, totals, d_shared):
    """Add the gradients of shared gates from their K, summed over all samples: (n_gates, 8)."""
    work = work_space(plan.gate_factors, np.int64(1), shared[0])
    nothing = np.empty((0, 1), shared[0].dtype)
    none = nothing, nothing
    for g in range(totals.shape[0]):
        if not plan.gate_batched[g]:
            gate_products(plan, g, shared, none, work)
            for e in range(8):
                work.k[e, 0] = totals[g, e]
            gate_gradients(plan, g, shared, none, work, d_shared, nothing)
