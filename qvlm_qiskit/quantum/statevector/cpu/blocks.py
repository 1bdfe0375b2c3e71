"""Runs of one-qubit gates on one large sample, block by block, so that each is in the cache once.

Gates between two other passes act on different qubits, so they commute. Those on the lower qubits
act within blocks of neighbouring amplitudes: a block goes through all of them before the next one
is touched. Those on the higher qubits act between the same place of all blocks: some columns of
places are copied side by side, go through all of them, and are copied back.

A run is the qubits of its gates and their matrices, (n_gates, 8). On the way back the matrices are
the inverse ones; ψ and λ are un-applied, and K of every gate is collected, in one loop.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import uint64

from qvlm_qiskit.quantum.statevector.cpu.arrays import zero
from qvlm_qiskit.quantum.statevector.cpu.jit import jit
from qvlm_qiskit.quantum.statevector.cpu.kernels import apply_one
from qvlm_qiskit.quantum.statevector.cpu.vectors import (
    add_sums,
    set_identities,
    set_table,
    turn_all,
    turn_all_back,
)

BLOCK_BITS = 13
"""Qubits within a block: ψ and λ of 2¹³ amplitudes stay in the second-level cache."""
INNER = 1 << 10
"""Amplitudes that stay in the first-level cache."""
CHUNK = 512


@jit
def run_of(plan, first, step):
    """The end of the one-qubit passes from pass ``first`` on, in steps of 1 or -1."""
    p = first
    while 0 <= p < plan.passes.shape[0] and plan.passes[p, 0] == 0:
        p += step
    return p


@jit
def gates_of(plan, first, last, matrices):
    """Qubits and matrices of the passes first … last."""
    qubits, chosen = np.empty(last - first, np.int64), np.empty((last - first, 8), matrices.dtype)
    for p in range(first, last):
        qubits[p - first] = plan.passes[p, 1]
        for e in range(8):
            chosen[p - first, e] = matrices[plan.passes[p, 2], e]
    return qubits, chosen


@jit
def turn_back(pr, pi, lr, li, first, last, step, m, k):
    """Un-apply a gate from amplitudes first … last of ψ and λ, and add Σ conj(λ_a) ψ_b to K.

    ``m`` is the inverse; K is with λ after and ψ before the gate.
    """
    ar, ai, br, bi, cr, ci, dr, di = m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7]
    first, last, step = uint64(first), uint64(last), uint64(step)
    zero = np.zeros(1, pr.dtype)[0]
    k0 = k1 = k2 = k3 = k4 = k5 = k6 = k7 = zero
    chunk = min(step, uint64(CHUNK))
    for base in range(first, last, step + step):
        for start in range(base, base + step, chunk):
            for t in range(start, start + chunk):
                xr, xi, yr, yi = pr[t], pi[t], pr[t + step], pi[t + step]
                vr = ar * xr - ai * xi + br * yr - bi * yi
                vi = ar * xi + ai * xr + br * yi + bi * yr
                wr = cr * xr - ci * xi + dr * yr - di * yi
                wi = cr * xi + ci * xr + dr * yi + di * yr
                pr[t], pi[t], pr[t + step], pi[t + step] = vr, vi, wr, wi
                xr, xi, yr, yi = lr[t], li[t], lr[t + step], li[t + step]
                k0 += xr * vr + xi * vi
                k1 += xr * vi - xi * vr
                k2 += xr * wr + xi * wi
                k3 += xr * wi - xi * wr
                k4 += yr * vr + yi * vi
                k5 += yr * vi - yi * vr
                k6 += yr * wr + yi * wi
                k7 += yr * wi - yi * wr
                lr[t] = ar * xr - ai * xi + br * yr - bi * yi
                li[t] = ar * xi + ai * xr + br * yi + bi * yr
                lr[t + step] = cr * xr - ci * xi + dr * yr - di * yi
                li[t + step] = cr * xi + ci * xr + dr * yi + di * yr
    k[0] += k0
    k[1] += k1
    k[2] += k2
    k[3] += k3
    k[4] += k4
    k[5] += k5
    k[6] += k6
    k[7] += k7


@jit
def low_table(qubits, matrices, table):
    """Write the gates on qubits 0, 1 and 2; whether there are any."""
    set_identities(table)
    found = False
    for g in range(qubits.size):
        if qubits[g] < 3:
            set_table(table, qubits[g], matrices[g])
            found = True
    return found


@jit
def run_block(re, im, first, last, qubits, matrices, table, low):
    """Gates that act within amplitudes first … last, a block; those below INNER piece by piece."""
    inner = min(last - first, uint64(INNER))
    for piece in range(first, last, inner):
        if low:
            turn_all(re, im, piece, piece + inner, table)
        for g in range(qubits.size):
            step = uint64(1) << uint64(qubits[g])
            if uint64(8) <= step < inner:
                apply_one(re, im, piece, piece + inner, step, matrices[g])
    for g in range(qubits.size):
        step = uint64(1) << uint64(qubits[g])
        if inner <= step < last - first:
            apply_one(re, im, first, last, step, matrices[g])


@jit
def run_block_back(pr, pi, lr, li, first, last, qubits, matrices, table, sums, low, k):
    """The way back of :func:`run_block`; adds to K, (n_gates, 8)."""
    inner = min(last - first, uint64(INNER))
    for piece in range(first, last, inner):
        if low:
            turn_all_back(pr, pi, lr, li, piece, piece + inner, table, sums)
        for g in range(qubits.size):
            step = uint64(1) << uint64(qubits[g])
            if uint64(8) <= step < inner:
                turn_back(pr, pi, lr, li, piece, piece + inner, step, matrices[g], k[g])
    for g in range(qubits.size):
        step = uint64(1) << uint64(qubits[g])
        if inner <= step < last - first:
            turn_back(pr, pi, lr, li, first, last, step, matrices[g], k[g])


@jit
def columns(source, target, bits, width, start, back):
    """Copy a few places of every block side by side, or back."""
    stride, width, start = uint64(1) << uint64(bits), uint64(width), uint64(start)
    for block in range(uint64(0), uint64(source.size) >> uint64(bits)):
        here, there = block * stride + start, block * width
        if back:
            for t in range(uint64(0), width):
                source[here + t] = target[there + t]
        else:
            for t in range(uint64(0), width):
                target[there + t] = source[here + t]


@jit
def high_qubits(qubits, size, moved):
    """Places that are copied of every block, together as many as a block has; 0 for no gate.

    ``moved`` receives the qubits of the gates among copied columns, -1 for gates within blocks.
    """
    width, bits = 1 << BLOCK_BITS, BLOCK_BITS
    while uint64(width) * (size >> uint64(BLOCK_BITS)) > uint64(1 << BLOCK_BITS):
        width, bits = width >> 1, bits - 1
    found = 0
    for g in range(qubits.size):
        moved[g] = -1
        if qubits[g] >= BLOCK_BITS:
            moved[g] = qubits[g] - BLOCK_BITS + bits
            found = width
    return found


@jit
def run_high(re, im, qubits, matrices, scratch, first, last):
    """The gates of a run that act between blocks, at places first … last of every block.

    Both are multiples of the places that are copied at a time; scratch is (2 or more, 2**BITS).
    """
    moved = np.empty(qubits.size, np.int64)
    width = high_qubits(qubits, uint64(re.size), moved)
    if width:
        sr, si = scratch[0], scratch[1]
        for start in range(first, last, width):
            columns(re, sr, BLOCK_BITS, width, start, False)
            columns(im, si, BLOCK_BITS, width, start, False)
            for g in range(qubits.size):
                if moved[g] >= 0:
                    apply_one(sr, si, 0, sr.size, 1 << moved[g], matrices[g])
            columns(re, sr, BLOCK_BITS, width, start, True)
            columns(im, si, BLOCK_BITS, width, start, True)


@jit
def run_low(re, im, qubits, matrices):
    """The gates of a run that act within blocks, on whole blocks of a sample."""
    table = np.empty((3, 4, 8), re.dtype)
    low = low_table(qubits, matrices, table)
    size = uint64(re.size)
    block = min(size, uint64(1) << uint64(BLOCK_BITS))
    for first in range(uint64(0), size, block):
        run_block(re, im, first, first + block, qubits, matrices, table, low)


@jit
def run(re, im, qubits, matrices, scratch):
    """Apply a run to one sample; scratch is (2 or more, 2**BLOCK_BITS)."""
    run_low(re, im, qubits, matrices)
    run_high(re, im, qubits, matrices, scratch, 0, 1 << BLOCK_BITS)


@jit
def run_high_back(pr, pi, lr, li, qubits, matrices, scratch, k, first, last):
    """The way back of :func:`run_high`; adds to K, (n_gates, 8); scratch has 4 rows."""
    moved = np.empty(qubits.size, np.int64)
    width = high_qubits(qubits, uint64(pr.size), moved)
    if width:
        s0, s1, s2, s3 = scratch[0], scratch[1], scratch[2], scratch[3]
        for start in range(first, last, width):
            for back in (False, True):
                if back:
                    for g in range(qubits.size):
                        if moved[g] >= 0:
                            step = 1 << moved[g]
                            turn_back(s0, s1, s2, s3, 0, s0.size, step, matrices[g], k[g])
                columns(pr, s0, BLOCK_BITS, width, start, back)
                columns(pi, s1, BLOCK_BITS, width, start, back)
                columns(lr, s2, BLOCK_BITS, width, start, back)
                columns(li, s3, BLOCK_BITS, width, start, back)


@jit
def run_low_back(pr, pi, lr, li, qubits, matrices, k):
    """The way back of :func:`run_low`; adds to K, (n_gates, 8)."""
    table, sums = np.empty((3, 4, 8), pr.dtype), np.empty((3, 4, 8), pr.dtype)
    low = low_table(qubits, matrices, table)
    size = uint64(pr.size)
    block = min(size, uint64(1) << uint64(BLOCK_BITS))
    for first in range(uint64(0), size, block):
        zero(sums)
        run_block_back(pr, pi, lr, li, first, first + block, qubits, matrices, table, sums, low, k)
        for g in range(qubits.size):
            if qubits[g] < 3:
                add_sums(sums, qubits[g], k[g])


@jit
def run_back(pr, pi, lr, li, qubits, matrices, scratch, k):
    """Un-apply a run from ψ and λ of one sample and add to K, (n_gates, 8); scratch has 4 rows."""
    run_low_back(pr, pi, lr, li, qubits, matrices, k)
    run_high_back(pr, pi, lr, li, qubits, matrices, scratch, k, 0, 1 << BLOCK_BITS)
