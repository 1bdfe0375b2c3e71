"""Numba kernels: a plan on a tile of states, forwards and backwards.

A tile holds L samples as two flat arrays, real and imaginary parts, of 2**n rows of L numbers: the
sample index runs fastest, so every pass is a loop over contiguous numbers whatever the qubit. Tiles
are sized for the cache. Indices are unsigned: with signed ones numba keeps a branch for negative
indices in the inner loops, and they are not vectorised (measured 12 against 95 GFLOP/s).

The backward sweep keeps the final state only. It un-applies the passes to ψ and to λ = Σ g_o O_o ψ
together and collects, per fused gate M, K = Σ conj(λ) ψᵀ with λ after and ψ before M; then
df/dθ = 2 Re Σ K ∘ ∂M/∂θ (after Jones and Gacon, arXiv:2009.02823).
"""

# Numba compiles these functions; their annotations would only slow the reader down.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import uint64

from qvlm_qiskit.quantum.statevector.cpu.arrays import SECOND, STRIDE, column
from qvlm_qiskit.quantum.statevector.cpu.jit import jit, within

CHUNK = 512
"""Numbers in one vectorised loop of a pass."""


@jit
def parity_sign(value):
    """(-1) to the number of ones of an integer below 2**32."""
    value ^= value >> uint64(16)
    value ^= value >> uint64(8)
    value ^= value >> uint64(4)
    return 1.0 - 2.0 * ((uint64(0x6996) >> (value & uint64(15))) & uint64(1))


@jit
def ones_of(value):
    """The number of ones of an integer."""
    ones = 0
    while value:
        ones += 1
        value &= value - uint64(1)
    return ones


@jit
def apply_one(re, im, first, last, step, m):
    """A 2×2 matrix that all samples share, on the numbers first … last of a tile."""
    ar, ai, br, bi, cr, ci, dr, di = m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7]
    first, last, step = uint64(first), uint64(last), uint64(step)
    # The loop over chunks does nothing but keep LLVM from testing once for the whole outer loop
    # whether the two halves overlap: over all of it they do, and nothing would be vectorised.
    chunk = min(step, uint64(CHUNK))
    for base in range(first, last, step + step):
        for start in range(base, base + step, chunk):
            for t in range(start, start + chunk):
                xr, xi, yr, yi = re[t], im[t], re[t + step], im[t + step]
                re[t] = ar * xr - ai * xi + br * yr - bi * yi
                im[t] = ar * xi + ai * xr + br * yi + bi * yr
                re[t + step] = cr * xr - ci * xi + dr * yr - di * yi
                im[t + step] = cr * xi + ci * xr + dr * yi + di * yr


@jit
def apply_one_batched(re, im, step, lanes, m):
    """A 2×2 matrix per sample, whose rows lie `STRIDE` numbers apart."""
    step = uint64(step)
    lanes = uint64(lanes)
    for base in range(uint64(0), uint64(re.size), step + step):
        for row in range(base, base + step, lanes):
            for lane in range(uint64(0), lanes):
                t = row + lane
                xr, xi, yr, yi = re[t], im[t], re[t + step], im[t + step]
                ar, ai, cr, ci = column(m, lane)
                br, bi, dr, di = column(m, lane + SECOND)
                re[t] = ar * xr - ai * xi + br * yr - bi * yi
                im[t] = ar * xi + ai * xr + br * yi + bi * yr
                re[t + step] = cr * xr - ci * xi + dr * yr - di * yi
                im[t + step] = cr * xi + ci * xr + dr * yi + di * yr


@within
def collect_one(lr, li, pr, pi, step, k):
    """Add Σ conj(λ_a) ψ_b over all samples to K; λ after and ψ before the gate."""
    step = uint64(step)
    # sums in the states' precision: doubles would halve the vector width
    zero = np.zeros(1, lr.dtype)[0]
    k0 = k1 = k2 = k3 = k4 = k5 = k6 = k7 = zero
    chunk = min(step, uint64(CHUNK))
    for base in range(uint64(0), uint64(lr.size), step + step):
        for start in range(base, base + step, chunk):
            for t in range(start, start + chunk):
                ar, ai, br, bi = lr[t], li[t], lr[t + step], li[t + step]
                xr, xi, yr, yi = pr[t], pi[t], pr[t + step], pi[t + step]
                k0 += ar * xr + ai * xi
                k1 += ar * xi - ai * xr
                k2 += ar * yr + ai * yi
                k3 += ar * yi - ai * yr
                k4 += br * xr + bi * xi
                k5 += br * xi - bi * xr
                k6 += br * yr + bi * yi
                k7 += br * yi - bi * yr
    k[0] += k0
    k[1] += k1
    k[2] += k2
    k[3] += k3
    k[4] += k4
    k[5] += k5
    k[6] += k6
    k[7] += k7


@within
def collect_one_batched(lr, li, pr, pi, step, lanes, k):
    """The same per sample; the rows of K lie `STRIDE` numbers apart."""
    step = uint64(step)
    lanes = uint64(lanes)
    for base in range(uint64(0), uint64(lr.size), step + step):
        for row in range(base, base + step, lanes):
            for lane in range(uint64(0), lanes):
                t = row + lane
                ar, ai, br, bi = lr[t], li[t], lr[t + step], li[t + step]
                xr, xi, yr, yi = pr[t], pi[t], pr[t + step], pi[t + step]
                k[lane] += ar * xr + ai * xi
                k[STRIDE + lane] += ar * xi - ai * xr
                k[uint64(2) * STRIDE + lane] += ar * yr + ai * yi
                k[uint64(3) * STRIDE + lane] += ar * yi - ai * yr
                k[uint64(4) * STRIDE + lane] += br * xr + bi * xi
                k[uint64(5) * STRIDE + lane] += br * xi - bi * xr
                k[uint64(6) * STRIDE + lane] += br * yr + bi * yi
                k[uint64(7) * STRIDE + lane] += br * yi - bi * yr


@within
def adjoint(m, out):
    """The conjugate transpose of a 2×2 matrix of (re, im) pairs."""
    out[0], out[1] = m[0], -m[1]
    out[2], out[3] = m[4], -m[5]
    out[4], out[5] = m[2], -m[3]
    out[6], out[7] = m[6], -m[7]


@within
def unit_phase(x, z):
    """The unit i^|x∧z| as (re, im)."""
    ones = ones_of(uint64(x) & uint64(z)) & 3
    re = 1.0 if ones == 0 else (-1.0 if ones == 2 else 0.0)
    im = 1.0 if ones == 1 else (-1.0 if ones == 3 else 0.0)
    return re, im


@jit
def apply_rotation(re, im, lanes, x, z, cos, sin):
    """Apply exp(-iθP/2) with cos and sin of θ/2 per sample, ``(lanes,)``."""
    x, z, lanes = uint64(x), uint64(z), uint64(lanes)
    unit = unit_phase(x, z)
    f = np.empty(4, re.dtype)  # brings doubles into the states' precision
    for i in range(uint64(0), uint64(re.size) // lanes):
        j = i ^ x
        if j < i:
            continue
        # f with (Pψ)_i = f ψ_j, and g with (Pψ)_j = g ψ_i
        sign, other = parity_sign(j & z), parity_sign(i & z)
        f[0], f[1], f[2], f[3] = sign * unit[0], sign * unit[1], other * unit[0], other * unit[1]
        fr, fi, gr, gi = f[0], f[1], f[2], f[3]
        for lane in range(uint64(0), lanes):
            a = i * lanes + lane
            b = j * lanes + lane
            c, s = cos[lane], sin[lane]
            xr, xi, yr, yi = re[a], im[a], re[b], im[b]
            # -i s (fr + i fi) = s fi - i s fr
            re[a] = c * xr + s * (fi * yr + fr * yi)
            im[a] = c * xi + s * (fi * yi - fr * yr)
            if i != j:
                re[b] = c * yr + s * (gi * xr + gr * xi)
                im[b] = c * yi + s * (gi * xi - gr * xr)


@within
def collect_rotation(lr, li, pr, pi, lanes, x, z, out):
    """Add Im ⟨λ|P|ψ⟩ per sample: df/dθ of exp(-iθP/2)."""
    x, z, lanes = uint64(x), uint64(z), uint64(lanes)
    unit = unit_phase(x, z)
    f = np.empty(2, lr.dtype)
    for i in range(uint64(0), uint64(lr.size) // lanes):
        j = i ^ x
        sign = parity_sign(j & z)
        f[0], f[1] = sign * unit[0], sign * unit[1]
        fr, fi = f[0], f[1]
        for lane in range(uint64(0), lanes):
            a = i * lanes + lane
            b = j * lanes + lane
            qr = fr * pr[b] - fi * pi[b]
            qi = fr * pi[b] + fi * pr[b]
            out[lane] += lr[a] * qi - li[a] * qr


@within
def copy(re, im, to_re, to_im):
    """Copy a tile."""
    for t in range(uint64(0), uint64(re.size)):
        to_re[t], to_im[t] = re[t], im[t]


@jit
def permute(re, im, lanes, table, to_re, to_im):
    """Row i comes from row table[i]."""
    lanes = uint64(lanes)
    if lanes == 1:
        for i in range(uint64(0), uint64(table.size)):
            source = uint64(table[i])
            to_re[i], to_im[i] = re[source], im[source]
        return
    for i in range(uint64(0), uint64(table.size)):
        source = uint64(table[i]) * lanes
        for lane in range(uint64(0), lanes):
            to_re[i * lanes + lane] = re[source + lane]
            to_im[i * lanes + lane] = im[source + lane]


@jit
def permute_back(re, im, lanes, table, to_re, to_im):
    """Row i goes to row table[i]."""
    lanes = uint64(lanes)
    if lanes == 1:
        for i in range(uint64(0), uint64(table.size)):
            target = uint64(table[i])
            to_re[target], to_im[target] = re[i], im[i]
        return
    for i in range(uint64(0), uint64(table.size)):
        target = uint64(table[i]) * lanes
        for lane in range(uint64(0), lanes):
            to_re[target + lane] = re[i * lanes + lane]
            to_im[target + lane] = im[i * lanes + lane]


@jit
def apply_phases(re, im, lanes, phases, sign):
    """Multiply by phases, or by their conjugates for sign = -1."""
    lanes = uint64(lanes)
    for i in range(uint64(0), uint64(phases.size)):
        c, s = phases[i].real, phases[i].imag * sign
        for lane in range(uint64(0), lanes):
            t = i * lanes + lane
            xr, xi = re[t], im[t]
            re[t] = c * xr - s * xi
            im[t] = c * xi + s * xr


@jit
def apply_dense(re, im, lanes, matrix, offsets):
    """A matrix on some qubits; offsets[k] is the index whose bits there spell k."""
    lanes = uint64(lanes)
    size = offsets.size
    mask = uint64(offsets[size - 1])
    block_re = np.empty((size, lanes), re.dtype)
    block_im = np.empty((size, lanes), re.dtype)
    for i in range(uint64(0), uint64(re.size) // lanes):
        if i & mask:
            continue
        for k in range(size):
            row = (i | uint64(offsets[k])) * lanes
            for lane in range(uint64(0), lanes):
                block_re[k, lane] = re[row + lane]
                block_im[k, lane] = im[row + lane]
        for k in range(size):
            row = (i | uint64(offsets[k])) * lanes
            for lane in range(uint64(0), lanes):
                sum_re = 0.0
                sum_im = 0.0
                for c in range(size):
                    ar, ai = matrix[k, c].real, matrix[k, c].imag
                    sum_re += ar * block_re[c, lane] - ai * block_im[c, lane]
                    sum_im += ar * block_im[c, lane] + ai * block_re[c, lane]
                re[row + lane] = sum_re
                im[row + lane] = sum_im
