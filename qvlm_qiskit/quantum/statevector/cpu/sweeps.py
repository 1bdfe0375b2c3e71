"""Numba drivers: all tiles of a batch through a plan, forwards, and back for the gradient."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import uint64

from qvlm_qiskit.quantum.statevector.cpu import initial_states as initial
from qvlm_qiskit.quantum.statevector.cpu import kernels as k
from qvlm_qiskit.quantum.statevector.cpu import one_qubit, readout
from qvlm_qiskit.quantum.statevector.cpu.arrays import (
    STRIDE,
    borrowed_plan,
    borrowed_space,
    work_space,
    zero,
)
from qvlm_qiskit.quantum.statevector.cpu.borrowed import borrow, hold
from qvlm_qiskit.quantum.statevector.cpu.jit import inlined, jit, within


@within
def dense_block(plan, index):
    """One fixed matrix and the index of every one of its basis states."""
    size = 1 << plan.offsets[index, 0]
    start = plan.dense_start[index]
    matrix = plan.dense[start : start + size * size].reshape(size, size)
    return matrix, plan.offsets[index, 1 : 1 + size]


@jit
def forward(plan, trig, num_shared, amplitudes, scales, state, out, first_tile, last_tile, keep):
    """Run tiles first_tile … last_tile.

    ``trig`` holds cosines and sines of half angles, (2, n_shared + n_tiles·n_batched·L), the
    ``num_shared`` ones first. ``amplitudes`` is (n_tiles·L, 2**n), or empty for |0…0⟩, ``scales``
    as for :func:`~qvlm_qiskit.quantum.statevector.cpu.initial_states.load`; ``state`` (n_tiles, 2,
    2**n·L) receives the final states if ``keep`` (else one tile of scratch), ``out`` (n_tiles,
    n_observables, L) the values.
    """
    lanes = out.shape[2]
    plan, trig, state, out = borrowed_plan(plan), borrow(trig), borrow(state), borrow(out)
    memory = (
        np.empty((2, state.shape[2]), state.dtype),
        np.zeros((plan.gate_batched.size, 8), state.dtype),
        work_space(plan.gate_factors, lanes, state),
    )
    scratch, matrices, work = borrow(memory[0]), borrow(memory[1]), borrowed_space(memory[2])
    shared = trig[0, :num_shared], trig[1, :num_shared]
    one_qubit.shared_matrices(plan, shared, matrices)
    for tile in range(first_tile, last_tile):
        slot = tile if keep else 0
        re, im = state[slot, 0], state[slot, 1]
        other_re, other_im = scratch[0], scratch[1]
        angles = one_qubit.angles_of(trig, num_shared, tile, lanes, out.shape[0])
        if amplitudes.shape[1]:
            initial.load(re, im, lanes, amplitudes, scales, tile)
        else:
            initial.prepare(plan, matrices, shared, angles, work, re, im, lanes)
        for p in range(plan.passes.shape[0]):
            kind, a, b = plan.passes[p, 0], plan.passes[p, 1], plan.passes[p, 2]
            c, d = plan.passes[p, 3], plan.passes[p, 4]
            if kind == 0 and plan.gate_batched[b]:
                m = one_qubit.gate_products(plan, b, shared, angles, work)
                k.apply_one_batched(re, im, lanes << a, lanes, m)
            elif kind == 0:
                k.apply_one(re, im, 0, re.size, lanes << a, matrices[b])
            elif kind == 1:
                one_qubit.half_angle(d, c, shared, angles, work.cos, work.sin)
                k.apply_rotation(re, im, lanes, a, b, work.cos, work.sin)
            elif kind == 2:
                k.permute(re, im, lanes, plan.tables[a], other_re, other_im)
                re, other_re = other_re, re
                im, other_im = other_im, im
            elif kind == 3:
                matrix, where = dense_block(plan, a)
                k.apply_dense(re, im, lanes, matrix, where)
            else:
                k.apply_phases(re, im, lanes, plan.phases[a], 1)
        for g in range(plan.term_x.size):
            readout.measure(
                re, im, lanes, plan.term_x[g], plan.term_start[g], plan.term_start[g + 1],
                plan.term_z, plan.term_c, plan.term_o, out[tile],
            )  # fmt: skip
        if keep:
            # an odd number of permutations has left the state in the scratch buffer
            odd = 0
            for p in range(plan.passes.shape[0]):
                odd ^= plan.passes[p, 0] == 2
            if odd:
                k.copy(re, im, state[slot, 0], state[slot, 1])
    hold(memory)


@jit
def read_out(plan, state, out, first_tile, last_tile):
    """Add the values of final states, (n_tiles, 2, 2**n·L), to ``out``, for some tiles."""
    lanes = out.shape[2]
    for tile in range(first_tile, last_tile):
        for g in range(plan.term_x.size):
            readout.measure(
                state[tile, 0], state[tile, 1], lanes, plan.term_x[g], plan.term_start[g],
                plan.term_start[g + 1], plan.term_z, plan.term_c, plan.term_o, out[tile],
            )  # fmt: skip


@inlined
def batched_gate_back(plan, g, qubit, shared, batched, work, pr, pi, lr, li, lanes, d_s, d_b):
    """Un-apply a gate that differs from sample to sample, and add its gradients."""
    m = one_qubit.gate_products(plan, g, shared, batched, work)
    for e in range(8):
        # entry e of the inverse: the conjugate of the transposed matrix
        f = e + (e & 2) - ((e & 4) >> 1)
        to, source = uint64(e) * STRIDE, uint64(f) * STRIDE
        for lane in range(uint64(0), uint64(lanes)):
            work.inverse[to + lane] = -m[source + lane] if e % 2 else m[source + lane]
    step = lanes << qubit
    one_qubit.constant(work.k, work.cos.size, 0)
    k.apply_one_batched(pr, pi, step, lanes, work.inverse)
    k.collect_one_batched(lr, li, pr, pi, step, lanes, work.k)
    k.apply_one_batched(lr, li, step, lanes, work.inverse)
    one_qubit.gate_gradients(plan, g, shared, batched, work, d_s, d_b)


@inlined
def rotation_back(plan, p, shared, batched, work, pr, pi, lr, li, lanes, d_shared, d_batched):
    """Un-apply a rotation about a Pauli string of several qubits, and add its gradient."""
    x, z, angle, varies = plan.passes[p, 1], plan.passes[p, 2], plan.passes[p, 3], plan.passes[p, 4]
    zero(work.total)
    k.collect_rotation(lr, li, pr, pi, lanes, x, z, work.total)
    one_qubit.add_gradient(varies, angle, work.total, d_shared, d_batched)
    one_qubit.half_angle(varies, angle, shared, batched, work.cos, work.sin)
    for lane in range(lanes):
        work.sin[lane] = -work.sin[lane]
    k.apply_rotation(pr, pi, lanes, x, z, work.cos, work.sin)
    k.apply_rotation(lr, li, lanes, x, z, work.cos, work.sin)


@jit
def backward(
    plan, trig, num_shared, amplitudes, scales, state, grad, lambdas, d_shared, d_batched,
    d_amplitudes, first_tile, last_tile,
):  # fmt: skip
    """The vector-Jacobian product of tiles first_tile … last_tile; un-applies ``state`` in place.

    ``grad`` is (n_tiles, n_observables, L); adds to ``d_shared`` (n_shared,) and ``d_batched``
    (n_tiles, n_batched, L), writes ``d_amplitudes`` (n_tiles·L, 2**n) where it is not empty.
    ``lambdas``, where it has the shape of ``state``, is the derivative by the conjugated states,
    and is used up; where it is empty, the observables and ``grad`` make it.
    """
    lanes = grad.shape[2]
    plan, trig, state, grad = borrowed_plan(plan), borrow(trig), borrow(state), borrow(grad)
    d_shared, d_batched = borrow(d_shared), borrow(d_batched)
    memory = (
        np.empty((2, state.shape[2]), state.dtype),
        np.empty((2, state.shape[2]), state.dtype),
        np.empty(8, state.dtype),
        np.zeros((plan.gate_batched.size, 8), state.dtype),
        np.zeros((plan.gate_batched.size, 8)),
        work_space(plan.gate_factors, lanes, state),
    )
    scratch, lam, one = borrow(memory[0]), borrow(memory[1]), borrow(memory[2])
    matrices, totals, work = borrow(memory[3]), borrow(memory[4]), borrowed_space(memory[5])
    shared = trig[0, :num_shared], trig[1, :num_shared]
    one_qubit.shared_matrices(plan, shared, matrices)
    for tile in range(first_tile, last_tile):
        pr, pi = state[tile, 0], state[tile, 1]
        lr, li = lam[0], lam[1]
        sr, si = scratch[0], scratch[1]
        angles = one_qubit.angles_of(trig, num_shared, tile, lanes, grad.shape[0])
        d_angles = d_batched[tile]
        if lambdas.shape[0]:
            lr, li = lambdas[tile, 0], lambdas[tile, 1]
        else:
            zero(lr)
            zero(li)
            for g in range(plan.term_x.size):
                readout.weigh(
                    pr, pi, lanes, plan.term_x[g], plan.term_start[g], plan.term_start[g + 1],
                    plan.term_z, plan.term_c, plan.term_o, grad[tile], lr, li,
                )  # fmt: skip
        for p in range(plan.passes.shape[0] - 1, -1, -1):
            kind, a, b = plan.passes[p, 0], plan.passes[p, 1], plan.passes[p, 2]
            if kind == 0 and plan.gate_batched[b]:
                batched_gate_back(
                    plan, b, a, shared, angles, work, pr, pi, lr, li, lanes, d_shared, d_angles
                )
            elif kind == 0:
                k.adjoint(matrices[b], one)
                k.apply_one(pr, pi, 0, pr.size, lanes << a, one)
                k.collect_one(lr, li, pr, pi, lanes << a, totals[b])
                k.apply_one(lr, li, 0, lr.size, lanes << a, one)
            elif kind == 1:
                rotation_back(
                    plan, p, shared, angles, work, pr, pi, lr, li, lanes, d_shared, d_angles
                )
            elif kind == 2:
                k.permute_back(pr, pi, lanes, plan.tables[a], sr, si)
                pr, sr = sr, pr
                pi, si = si, pi
                k.permute_back(lr, li, lanes, plan.tables[a], sr, si)
                lr, sr = sr, lr
                li, si = si, li
            elif kind == 3:
                matrix, where = dense_block(plan, a)
                undo = np.conj(matrix.T).copy()
                k.apply_dense(pr, pi, lanes, undo, where)
                k.apply_dense(lr, li, lanes, undo, where)
            else:
                k.apply_phases(pr, pi, lanes, plan.phases[a], -1)
                k.apply_phases(lr, li, lanes, plan.phases[a], -1)
        if d_amplitudes.shape[1]:
            initial.load_back(lr, lanes, amplitudes, scales, d_amplitudes, tile)
        else:
            initial.prepare_back(
                plan, matrices, shared, angles, work, lr, li, sr, si, lanes, totals,
                d_shared, d_angles,
            )  # fmt: skip
    one_qubit.shared_gradients(plan, shared, totals, d_shared)
    hold(memory)
