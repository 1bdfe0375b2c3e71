"""Numba kernels for the initial states of a tile: product states and loaded amplitudes.

The first gate of every qubit acts on |0⟩. Together these gates make a product state, which is
written qubit by qubit, 2·2**n numbers in all, where n passes over the state would touch n·2**n. On
the way back nothing has to be un-applied to ψ: before the gate on qubit q it is |0⟩ above q and the
product of the first columns below, and only the part of λ with qubit q in |0⟩ matters to the gates
before.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

from numba import uint64

from qvlm_qiskit.quantum.statevector.cpu import one_qubit
from qvlm_qiskit.quantum.statevector.cpu.arrays import LOWER, STRIDE, column, zero
from qvlm_qiskit.quantum.statevector.cpu.jit import inlined, within


@inlined
def start_matrix(plan, qubit, matrices, shared, batched, work):
    """The matrix of the gate that opens the circuit on a qubit, for every sample."""
    g = plan.start[qubit]
    if g >= 0 and plan.gate_batched[g]:
        return one_qubit.gate_products(plan, g, shared, batched, work)
    out, lanes = work.inverse, uint64(work.cos.size)
    one_qubit.constant(out, lanes, 1)
    if g >= 0:
        for e in range(uint64(8)):
            for lane in range(uint64(0), lanes):
                out[e * STRIDE + lane] = matrices[g, e]
    return out


@inlined
def ground_state(re, im, first, last):
    """Write the only amplitude of no qubits."""
    for t in range(first, last):
        re[t], im[t] = 1, 0


@inlined
def append_qubit(re, im, rows, to_re, to_im, lanes, m):
    """Write ``rows`` rows times the first column of ``m``: twice as many rows.

    ``to_re`` and ``to_im`` may be ``re`` and ``im``.
    """
    half = uint64(rows * lanes)
    lanes = uint64(lanes)
    for row in range(uint64(0), half, lanes):
        for lane in range(uint64(0), lanes):
            t = row + lane
            xr, xi = re[t], im[t]
            ar, ai, br, bi = column(m, lane)
            to_re[t + half] = br * xr - bi * xi
            to_im[t + half] = br * xi + bi * xr
            to_re[t] = ar * xr - ai * xi
            to_im[t] = ar * xi + ai * xr


@inlined
def remove_qubit(lr, li, pr, pi, lanes, m, k):
    """Undo :func:`append_qubit` for λ, whose lower half stays, and add to the first column of K.

    Args:
        lr: λ after the gate, twice as many rows as ψ.
        li: Its imaginary part.
        pr: ψ before the gate.
        pi: Its imaginary part.
        lanes: L.
        m: The gate, a matrix per sample.
        k: Likewise, gets Σ conj(λ_a) ψ at [a, 0].
    """
    half = uint64(pr.size)
    lanes = uint64(lanes)
    for row in range(uint64(0), half, lanes):
        for lane in range(uint64(0), lanes):
            t = row + lane
            ar, ai, br, bi = lr[t], li[t], lr[t + half], li[t + half]
            xr, xi = pr[t], pi[t]
            k[lane] += ar * xr + ai * xi
            k[STRIDE + lane] += ar * xi - ai * xr
            k[LOWER + lane] += br * xr + bi * xi
            k[LOWER + STRIDE + lane] += br * xi - bi * xr
            cr, ci, dr, di = column(m, lane)
            lr[t] = cr * ar + ci * ai + dr * br + di * bi
            li[t] = cr * ai - ci * ar + dr * bi - di * br


@inlined
def prepare(plan, matrices, shared, batched, work, re, im, lanes):
    """Write the product state of the gates that open the circuit."""
    ground_state(re, im, 0, lanes)
    for qubit in range(plan.start.size):
        m = start_matrix(plan, qubit, matrices, shared, batched, work)
        append_qubit(re, im, 1 << qubit, re, im, lanes, m)


@inlined
def prepare_back(
    plan, matrices, shared, batched, work, lr, li, sr, si, lanes, totals, d_shared,
    d_batched,
):  # fmt: skip
    """Gradients of the gates that open the circuit; uses up λ and the scratch buffer."""
    # the product state of the qubits below q stands in rows 2**q … 2**(q+1) - 1 of the scratch
    ground_state(sr, si, lanes, 2 * lanes)
    last = plan.start.size - 1
    for qubit in range(last):
        m = start_matrix(plan, qubit, matrices, shared, batched, work)
        here, there = lanes << qubit, lanes << (qubit + 1)
        append_qubit(sr[here:there], si[here:there], 1 << qubit, sr[there:], si[there:], lanes, m)
    for qubit in range(last, -1, -1):
        m = start_matrix(plan, qubit, matrices, shared, batched, work)
        here, there = lanes << qubit, lanes << (qubit + 1)
        one_qubit.constant(work.k, work.cos.size, 0)
        remove_qubit(lr, li, sr[here:there], si[here:there], lanes, m, work.k)
        g = plan.start[qubit]
        if g >= 0 and plan.gate_batched[g]:
            one_qubit.gate_gradients(plan, g, shared, batched, work, d_shared, d_batched)
        elif g >= 0:
            for e in range(uint64(8)):
                for lane in range(uint64(0), uint64(lanes)):
                    totals[g, e] += work.k[e * STRIDE + lane]


@within
def load(re, im, lanes, amplitudes, scales, tile):
    """Real amplitudes, (n_tiles·L, 2**n), as the initial states of a tile.

    Where ``scales``, (n_tiles·L, 2), is not empty, rows of any scale are normalised: it receives
    the largest entry of a row and the norm of the row divided by it, so that no square over- or
    underflows. A row of zeros becomes the basis state 0.
    """
    zero(im)
    for lane in range(lanes):
        sample = tile * lanes + lane
        row = amplitudes[sample]
        largest, norm = 1.0, 1.0
        if scales.size:
            largest, norm = norm_of(row)
            scales[sample, 0], scales[sample, 1] = largest, norm
        factor = 1 / norm
        if largest == 0:
            for i in range(row.size):
                re[i * lanes + lane] = 0
            re[lane] = 1
        elif largest == 1:
            for i in range(row.size):
                re[i * lanes + lane] = row[i] * factor
        else:
            for i in range(row.size):
                re[i * lanes + lane] = row[i] / largest * factor


@within
def norm_of(row):
    """The largest absolute entry, and the norm of the row divided by it."""
    largest = row[0] * 0
    for i in range(uint64(0), uint64(row.size)):
        largest = max(largest, abs(row[i]))
    if largest == 0:
        return 0.0, 1.0
    total = row[0] * 0
    for i in range(uint64(0), uint64(row.size)):
        total += (row[i] / largest) ** 2
    return float(largest), math.sqrt(float(total))


@within
def load_back(lr, lanes, amplitudes, scales, d_amplitudes, tile):
    """The gradient of real amplitudes, or of the rows that were normalised to become them."""
    for lane in range(lanes):
        sample = tile * lanes + lane
        for i in range(d_amplitudes.shape[1]):
            d_amplitudes[sample, i] = 2 * lr[i * lanes + lane]
        if scales.size:
            # for u = x/|x|: ∂f/∂x = (g - (g·u) u) / |x|
            largest, norm = scales[sample]
            gradient, row = d_amplitudes[sample], amplitudes[sample]
            along = row[0] * 0
            if largest:
                for i in range(uint64(0), uint64(row.size)):
                    along += gradient[i] * (row[i] / largest)
            for i in range(uint64(0), uint64(row.size)):
                if largest:
                    across = gradient[i] - along / (norm * norm) * (row[i] / largest)
                    gradient[i] = across / largest / norm
                else:
                    gradient[i] = 0
