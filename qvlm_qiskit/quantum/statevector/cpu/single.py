"""Numba drivers for few or large samples: one sample after the other, forwards and back.

What :mod:`~qvlm_qiskit.quantum.statevector.cpu.sweeps` does for samples side by side is done here
within one: neighbouring amplitudes fill the vectors. Runs of one-qubit gates go block by block
through the cache. Where a kernel for samples side by side is used, the lowest qubits stand for the
samples: amplitude i of one sample is amplitude i >> 5 of sample i & 31, and a Pauli string has on
the lowest qubits one sign for every such sample.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import uint64

from qvlm_qiskit.quantum.statevector.cpu import blocks, one_qubit, readout
from qvlm_qiskit.quantum.statevector.cpu import gate_matrices as gates
from qvlm_qiskit.quantum.statevector.cpu import initial_states as initial
from qvlm_qiskit.quantum.statevector.cpu import kernels as k
from qvlm_qiskit.quantum.statevector.cpu.arrays import (
    borrowed_plan,
    borrowed_space,
    work_space,
    zero,
)
from qvlm_qiskit.quantum.statevector.cpu.borrowed import borrow, hold
from qvlm_qiskit.quantum.statevector.cpu.jit import jit
from qvlm_qiskit.quantum.statevector.cpu.sweeps import dense_block

LOW_BITS = 5
"""Qubits that stand for samples: circuits have at least so many here."""
LOW = 1 << LOW_BITS


@jit
def first_column(matrices, gate):
    """The first column of a gate's matrix; that of the identity for -1."""
    column = np.zeros(4, matrices.dtype)
    column[0] = 1
    for e in range(4 if gate >= 0 else 0):
        column[e] = matrices[gate, e if e < 2 else e + 2]
    return column[0], column[1], column[2], column[3]


@jit
def append_qubit(re, im, half, column):
    """Make of the first ``half`` amplitudes, times a gate's first column, twice as many."""
    ar, ai, br, bi = column
    half = uint64(half)
    for t in range(uint64(0), half):
        xr, xi = re[t], im[t]
        re[t + half] = br * xr - bi * xi
        im[t + half] = br * xi + bi * xr
        re[t] = ar * xr - ai * xi
        im[t] = ar * xi + ai * xr


@jit
def remove_qubit(lr, li, pr, pi, half, column, k):
    """Undo it for λ, whose lower half stays, and add to the first column of K; ψ is before it."""
    ar, ai, br, bi = column
    half = uint64(half)
    zero = np.zeros(1, lr.dtype)[0]
    k0 = k1 = k4 = k5 = zero
    for t in range(uint64(0), half):
        xr, xi, yr, yi = lr[t], li[t], lr[t + half], li[t + half]
        vr, vi = pr[t], pi[t]
        k0 += xr * vr + xi * vi
        k1 += xr * vi - xi * vr
        k4 += yr * vr + yi * vi
        k5 += yr * vi - yi * vr
        lr[t] = ar * xr + ai * xi + br * yr + bi * yi
        li[t] = ar * xi - ai * xr + br * yi - bi * yr
    k[0] += k0
    k[1] += k1
    k[4] += k4
    k[5] += k5


@jit
def prepare(start, matrices, re, im):
    """Write the product state of the gates that open the circuit, times the amplitude at 0."""
    for qubit in range(start.size):
        column = first_column(matrices, start[qubit])
        append_qubit(re, im, 1 << qubit, column)


@jit
def prepare_back(start, matrices, lr, li, sr, si, total):
    """Add K of the gates that open the circuit to total, (n_gates, 8); uses up λ and scratch.

    At place 0 of λ its product with the product state is left.
    """
    # the product state of the qubits below q stands from place 2**q of the scratch on
    sr[1], si[1] = 1, 0
    last = start.size - 1
    for qubit in range(last):
        column = first_column(matrices, start[qubit])
        here, there = 1 << qubit, 2 << qubit
        k.copy(sr[here:there], si[here:there], sr[there:], si[there:])
        append_qubit(sr[there:], si[there:], here, column)
    unused = np.zeros(8)
    for qubit in range(last, -1, -1):
        gate, here = start[qubit], 1 << qubit
        column = first_column(matrices, gate)
        own = total[gate] if gate >= 0 else unused
        remove_qubit(lr, li, sr[here:], si[here:], here, column, own)


@jit
def low_sign(z, lane):
    """The sign of a Z mask on the lowest qubits, for one of the samples that they stand for."""
    return k.parity_sign(uint64(z) & uint64(lane))


@jit
def high_terms(plan, out):
    """Masks of the terms without the lowest qubits, and the number of every term: (2, n_terms)."""
    for term in range(out.shape[1]):
        out[0, term], out[1, term] = plan.term_z[term] >> LOW_BITS, term


@jit
def measure(plan, re, im, out):
    """Add the values of a sample to out, (n_observables, 1)."""
    count = plan.term_z.size
    terms, ones = np.empty((2, count), np.int64), np.ones(count)
    high_terms(plan, terms)
    sums = np.zeros((count, LOW), re.dtype)
    for g in range(plan.term_x.size):
        x, first, last = plan.term_x[g], plan.term_start[g], plan.term_start[g + 1]
        if x & (LOW - 1):
            readout.measure(re, im, 1, x, first, last, plan.term_z, plan.term_c, plan.term_o, out)
            continue
        readout.measure(re, im, LOW, x >> LOW_BITS, first, last, terms[0], ones, terms[1], sums)
        for term in range(first, last):
            total = 0.0
            for lane in range(LOW):
                total += low_sign(plan.term_z[term], lane) * sums[term, lane]
            out[plan.term_o[term], 0] += plan.term_c[term] * total


@jit
def read_out(plan, state, out, first_tile, last_tile):
    """Add the values of final states, (n_samples, 2, 2**n), to ``out``, for some samples."""
    for tile in range(first_tile, last_tile):
        measure(plan, state[tile, 0], state[tile, 1], out[tile])


@jit
def weigh(plan, re, im, grad, to_re, to_im):
    """Write Σ grad[column] c P ψ; grad is (n_observables, 1)."""
    zero(to_re)
    zero(to_im)
    count = plan.term_z.size
    terms, ones = np.empty((2, count), np.int64), np.ones(count)
    high_terms(plan, terms)
    weights = np.empty((count, LOW), re.dtype)
    for term in range(count):
        weight = plan.term_c[term] * grad[plan.term_o[term], 0]
        for lane in range(LOW):
            weights[term, lane] = weight * low_sign(plan.term_z[term], lane)
    for g in range(plan.term_x.size):
        x, first, last = plan.term_x[g], plan.term_start[g], plan.term_start[g + 1]
        if x & (LOW - 1):
            readout.weigh(
                re, im, 1, x, first, last, plan.term_z, plan.term_c, plan.term_o, grad, to_re,
                to_im,
            )  # fmt: skip
        else:
            readout.weigh(
                re, im, LOW, x >> LOW_BITS, first, last, terms[0], ones, terms[1], weights, to_re,
                to_im,
            )  # fmt: skip


@jit
def rotate(re, im, x, z, cos, sin):
    """Apply exp(-iθP/2) with cos and sin of θ/2."""
    cosines, sines = np.empty(LOW, re.dtype), np.empty(LOW, re.dtype)
    high = x & (LOW - 1) == 0
    for lane in range(LOW):
        cosines[lane] = cos
        sines[lane] = sin * low_sign(z, lane) if high else sin
    if high:
        k.apply_rotation(re, im, LOW, x >> LOW_BITS, z >> LOW_BITS, cosines, sines)
    else:
        k.apply_rotation(re, im, 1, x, z, cosines, sines)


@jit
def slope_of(lr, li, pr, pi, x, z):
    """Im ⟨λ|P|ψ⟩: df/dθ of exp(-iθP/2)."""
    sums = np.zeros(LOW, lr.dtype)
    if x & (LOW - 1):
        k.collect_rotation(lr, li, pr, pi, 1, x, z, sums)
        return float(sums[0])
    k.collect_rotation(lr, li, pr, pi, LOW, x >> LOW_BITS, z >> LOW_BITS, sums)
    total = 0.0
    for lane in range(LOW):
        total += low_sign(z, lane) * sums[lane]
    return total


@jit
def first_with_angles(plan):
    """The first pass that may have angles: before it, the way back needs λ alone."""
    p = 0
    while p < plan.passes.shape[0] and plan.passes[p, 0] > 1:
        p += 1
    return p


@jit
def forward(plan, trig, num_shared, amplitudes, scales, state, out, first_tile, last_tile, keep):
    """Run samples first_tile … last_tile; arguments as those of the sweeps, with L = 1."""
    plan, trig, state, out = borrowed_plan(plan), borrow(trig), borrow(state), borrow(out)
    memory = (
        np.empty((2, state.shape[2]), state.dtype),
        np.empty((2, 1 << blocks.BLOCK_BITS), state.dtype),
        np.zeros((plan.gate_batched.size, 8), state.dtype),
        work_space(plan.gate_factors, np.int64(1), state),
    )
    scratch, columns, matrices = borrow(memory[0]), borrow(memory[1]), borrow(memory[2])
    work = borrowed_space(memory[3])
    shared = trig[0, :num_shared], trig[1, :num_shared]
    one_qubit.shared_matrices(plan, shared, matrices)
    for tile in range(first_tile, last_tile):
        slot = tile if keep else 0
        re, im = state[slot, 0], state[slot, 1]
        other_re, other_im = scratch[0], scratch[1]
        angles = one_qubit.angles_of(trig, num_shared, tile, 1, out.shape[0])
        gates.all_matrices(plan, shared, angles, work, matrices)
        if amplitudes.shape[1]:
            initial.load(re, im, 1, amplitudes, scales, tile)
        else:
            re[0], im[0] = 1, 0
            prepare(plan.start, matrices, re, im)
        p = 0
        while p < plan.passes.shape[0]:
            kind, a, b = plan.passes[p, 0], plan.passes[p, 1], plan.passes[p, 2]
            if kind == 0:
                last = blocks.run_of(plan, p, 1)
                qubits, chosen = blocks.gates_of(plan, p, last, matrices)
                blocks.run(re, im, qubits, chosen, columns)
                p = last
                continue
            if kind == 1:
                one_qubit.half_angle(
                    plan.passes[p, 4], plan.passes[p, 3], shared, angles, work.cos, work.sin
                )
                rotate(re, im, a, b, work.cos[0], work.sin[0])
            elif kind == 2:
                k.permute(re, im, 1, plan.tables[a], other_re, other_im)
                re, other_re = other_re, re
                im, other_im = other_im, im
            elif kind == 3:
                matrix, where = dense_block(plan, a)
                k.apply_dense(re, im, 1, matrix, where)
            else:
                k.apply_phases(re, im, 1, plan.phases[a], 1)
            p += 1
        measure(plan, re, im, out[tile])
        if keep:
            # an odd number of permutations has left the state in the scratch buffer
            odd = 0
            for p in range(plan.passes.shape[0]):
                odd ^= plan.passes[p, 0] == 2
            if odd:
                k.copy(re, im, state[slot, 0], state[slot, 1])
    hold(memory)


@jit
def backward(
    plan, trig, num_shared, amplitudes, scales, state, grad, lambdas, d_shared, d_batched,
    d_amplitudes, first_tile, last_tile,
):  # fmt: skip
    """The vector-Jacobian product of samples first_tile … last_tile; as that of the sweeps."""
    size, count = state.shape[2], plan.gate_batched.size
    plan, trig, state, grad = borrowed_plan(plan), borrow(trig), borrow(state), borrow(grad)
    d_shared, d_batched = borrow(d_shared), borrow(d_batched)
    memory = (
        np.empty((2, size), state.dtype),
        np.empty((2, size), state.dtype),
        np.empty((4, 1 << blocks.BLOCK_BITS), state.dtype),
        np.zeros((2, count, 8), state.dtype),
        np.zeros((2, count, 8)),
        work_space(plan.gate_factors, np.int64(1), state),
    )
    scratch, lam, columns = borrow(memory[0]), borrow(memory[1]), borrow(memory[2])
    both, sums, work = borrow(memory[3]), borrow(memory[4]), borrowed_space(memory[5])
    matrices, inverse, totals, total = both[0], both[1], sums[0], sums[1]
    shared = trig[0, :num_shared], trig[1, :num_shared]
    one_qubit.shared_matrices(plan, shared, matrices)
    alone = first_with_angles(plan)
    for tile in range(first_tile, last_tile):
        pr, pi = state[tile, 0], state[tile, 1]
        lr, li = lam[0], lam[1]
        sr, si = scratch[0], scratch[1]
        angles = one_qubit.angles_of(trig, num_shared, tile, 1, grad.shape[0])
        d_angles = d_batched[tile]
        gates.all_matrices(plan, shared, angles, work, matrices)
        gates.invert(matrices, inverse)
        zero(total)
        if lambdas.shape[0]:
            lr, li = lambdas[tile, 0], lambdas[tile, 1]
        else:
            weigh(plan, pr, pi, grad[tile], lr, li)
        p = plan.passes.shape[0] - 1
        while p >= 0:
            kind, a, b = plan.passes[p, 0], plan.passes[p, 1], plan.passes[p, 2]
            if kind == 0:
                first = blocks.run_of(plan, p, -1) + 1
                qubits, chosen = blocks.gates_of(plan, first, p + 1, inverse)
                found = np.zeros((p + 1 - first, 8))
                blocks.run_back(pr, pi, lr, li, qubits, chosen, columns, found)
                for q in range(first, p + 1):
                    for e in range(8):
                        total[plan.passes[q, 2], e] += found[q - first, e]
                p = first - 1
                continue
            if kind == 1:
                angle, varies = plan.passes[p, 3], plan.passes[p, 4]
                work.total[0] = slope_of(lr, li, pr, pi, a, b)
                one_qubit.add_gradient(varies, angle, work.total, d_shared, d_angles)
                one_qubit.half_angle(varies, angle, shared, angles, work.cos, work.sin)
                rotate(pr, pi, a, b, work.cos[0], -work.sin[0])
                rotate(lr, li, a, b, work.cos[0], -work.sin[0])
            elif kind == 2:
                if p > alone:
                    k.permute_back(pr, pi, 1, plan.tables[a], sr, si)
                    pr, sr = sr, pr
                    pi, si = si, pi
                k.permute_back(lr, li, 1, plan.tables[a], sr, si)
                lr, sr = sr, lr
                li, si = si, li
            elif kind == 3:
                matrix, where = dense_block(plan, a)
                undo = np.conj(matrix.T).copy()
                if p > alone:
                    k.apply_dense(pr, pi, 1, undo, where)
                k.apply_dense(lr, li, 1, undo, where)
            else:
                if p > alone:
                    k.apply_phases(pr, pi, 1, plan.phases[a], -1)
                k.apply_phases(lr, li, 1, plan.phases[a], -1)
            p -= 1
        if d_amplitudes.shape[1]:
            initial.load_back(lr, 1, amplitudes, scales, d_amplitudes, tile)
        else:
            prepare_back(plan.start, matrices, lr, li, sr, si, total)
        gates.add_gradients(plan, total, shared, angles, work, totals, d_shared, d_angles)
    one_qubit.shared_gradients(plan, shared, totals, d_shared)
    hold(memory)
