"""Numba kernels between states and Pauli expectation values."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import uint64

from qvlm_qiskit.quantum.statevector.cpu.jit import inlined
from qvlm_qiskit.quantum.statevector.cpu.kernels import parity_sign, unit_phase

BLOCK = 64
"""Rows of a read-out block: one Walsh–Hadamard transform each."""


@inlined
def walsh(v):
    """Walsh–Hadamard transform of the rows, in place: row z becomes Σ_j (-1)^|j ∧ z| v_j."""
    rows, lanes = uint64(v.shape[0]), uint64(v.shape[1])
    step = uint64(1)
    while step < rows:
        for base in range(uint64(0), rows, step + step):
            for j in range(base, base + step):
                for lane in range(uint64(0), lanes):
                    upper, lower = v[j, lane], v[j + step, lane]
                    v[j, lane] = upper + lower
                    v[j + step, lane] = upper - lower
        step += step


@inlined
def measure(re, im, lanes, x, first, last, z, coefficient, column, out):
    """Add c ⟨P⟩ to out[column] for the terms first … last, which share the mask x.

    A Walsh–Hadamard transform of a block of rows gives the sums for all sign patterns at once.
    """
    x, lanes = uint64(x), uint64(lanes)
    rows = min(uint64(BLOCK), uint64(re.size) // lanes)
    vr = np.empty((rows, lanes), re.dtype)
    vi = np.empty((rows, lanes), re.dtype)
    f = np.empty(1, re.dtype)  # brings a double into the states' precision
    for block in range(uint64(0), uint64(re.size) // lanes, rows):
        for j in range(uint64(0), rows):
            row, other = (block + j) * lanes, ((block + j) ^ x) * lanes
            for lane in range(uint64(0), lanes):
                ar, ai, br, bi = re[row + lane], im[row + lane], re[other + lane], im[other + lane]
                vr[j, lane] = ar * br + ai * bi
                vi[j, lane] = ar * bi - ai * br
        walsh(vr)
        if x:
            walsh(vi)
        for term in range(first, last):
            mask = uint64(z[term])
            unit = unit_phase(x, mask)
            # the phase belongs to row i ⊕ x
            sign = parity_sign(block & mask) * parity_sign(x & mask) * coefficient[term]
            j = mask & (rows - uint64(1))
            o = column[term]
            if unit[1] == 0:
                f[0] = sign * unit[0]
                a = f[0]
                for lane in range(uint64(0), lanes):
                    out[o, lane] += a * vr[j, lane]
            else:
                f[0] = -sign * unit[1]
                a = f[0]
                for lane in range(uint64(0), lanes):
                    out[o, lane] += a * vi[j, lane]


@inlined
def weigh(re, im, lanes, x, first, last, z, coefficient, column, grad, to_re, to_im):
    """Add Σ grad[column] c P ψ for the terms first … last, which share the mask x."""
    x, lanes = uint64(x), uint64(lanes)
    rows = min(uint64(BLOCK), uint64(re.size) // lanes)
    wr = np.empty((rows, lanes), re.dtype)
    wi = np.empty((rows, lanes), re.dtype)
    f = np.empty(2, re.dtype)  # brings doubles into the states' precision
    for block in range(uint64(0), uint64(re.size) // lanes, rows):
        for j in range(uint64(0), rows):
            for lane in range(uint64(0), lanes):
                wr[j, lane], wi[j, lane] = 0, 0
        for term in range(first, last):
            mask = uint64(z[term])
            unit = unit_phase(x, mask)
            sign = parity_sign(block & mask) * parity_sign(x & mask) * coefficient[term]
            f[0], f[1] = sign * unit[0], sign * unit[1]
            a, b = f[0], f[1]
            j = mask & (rows - uint64(1))
            o = column[term]
            for lane in range(uint64(0), lanes):
                wr[j, lane] += a * grad[o, lane]
                wi[j, lane] += b * grad[o, lane]
        walsh(wr)
        if x:
            walsh(wi)
        for j in range(uint64(0), rows):
            row, other = (block + j) * lanes, ((block + j) ^ x) * lanes
            for lane in range(uint64(0), lanes):
                br, bi = re[other + lane], im[other + lane]
                to_re[row + lane] += wr[j, lane] * br - wi[j, lane] * bi
                to_im[row + lane] += wr[j, lane] * bi + wi[j, lane] * br
