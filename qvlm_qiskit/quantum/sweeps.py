"""Numba drivers: all tiles of a batch through a plan, forwards, and back for the gradient."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math

import numpy as np

from qvlm_qiskit.quantum import kernels as k
from qvlm_qiskit.quantum.kernels import jit


@jit
def shared_matrices(passes, gate_factors, factors, constants, shared, out):
    """The 2×2 matrices of the gates that all samples share: out is (n_gates, 8)."""
    none = np.zeros(1)
    full = np.empty(8)
    work = work_space(gate_factors)
    for p in range(passes.shape[0]):
        if passes[p, 0] == 0 and not passes[p, 3]:
            g = passes[p, 2]
            k.gate_matrix(
                gate_factors[g], gate_factors[g + 1], factors, constants, shared, none,
                work, full,
            )  # fmt: skip
            out[g] = full


@jit
def lane_matrices(g, gate_factors, factors, constants, shared, batched, work, out):
    """The 2×2 matrix of one gate for every sample of a tile: out is (8, lanes)."""
    first = gate_factors[g]
    if gate_factors[g + 1] - first == 1 and factors[first, 0] != 3:
        single_rotations(factors[first, 0], factors[first, 2], batched, out)
        return
    full = np.empty(8)
    for lane in range(out.shape[1]):
        k.gate_matrix(
            gate_factors[g], gate_factors[g + 1], factors, constants, shared, batched[lane],
            work, full,
        )  # fmt: skip
        for e in range(8):
            out[e, lane] = full[e]


@jit
def single_rotations(axis, column, batched, out):
    """One rotation per sample about X, Y or Z, the commonest batched gate, without its products."""
    out[:] = 0
    for lane in range(out.shape[1]):
        half = batched[lane, column] / 2
        c, s = math.cos(half), math.sin(half)
        out[0, lane] = c
        out[6, lane] = c
        if axis == 0:
            out[3, lane] = -s
            out[5, lane] = -s
        elif axis == 1:
            out[2, lane] = -s
            out[4, lane] = s
        else:
            out[1, lane] = -s
            out[7, lane] = s


@jit
def single_gradients(axis, column, m, lane_k, d_batched):
    """Add 2 Re Σ K ∘ ∂M/∂θ = Re Σ K ∘ (-i P M) for a gate of one rotation per sample."""
    for lane in range(m.shape[1]):
        total = 0.0
        for j in range(2):
            ar, ai, br, bi = (
                m[2 * j, lane],
                m[2 * j + 1, lane],
                m[4 + 2 * j, lane],
                m[5 + 2 * j, lane],
            )
            if axis == 0:
                pr, pi, qr, qi = bi, -br, ai, -ar
            elif axis == 1:
                pr, pi, qr, qi = -br, -bi, ar, ai
            else:
                pr, pi, qr, qi = ai, -ar, -bi, br
            total += lane_k[2 * j, lane] * pr - lane_k[2 * j + 1, lane] * pi
            total += lane_k[4 + 2 * j, lane] * qr - lane_k[5 + 2 * j, lane] * qi
        d_batched[lane, column] += total


@jit
def work_space(gate_factors):
    """Scratch rows for the products of the longest gate."""
    longest = 0
    for g in range(gate_factors.size - 1):
        longest = max(longest, gate_factors[g + 1] - gate_factors[g])
    return np.empty((2 * longest + 4, 8))


@jit
def half_angles(angle, is_batched, shared, batched, sign, cos, sin):
    """Cosine and sine of ±θ/2 for every sample of a tile."""
    for lane in range(cos.size):
        theta = batched[lane, angle] if is_batched else shared[angle]
        cos[lane] = math.cos(theta / 2)
        sin[lane] = sign * math.sin(theta / 2)


@jit
def forward(
    passes, gate_factors, factors, constants, tables, phases, dense, offsets, dense_start,
    term_start, term_x, term_z, term_c, term_o,
    matrices, shared, batched, amplitudes, state, out, first_tile, last_tile, keep,
):  # fmt: skip
    """Run tiles first_tile … last_tile.

    ``batched`` is (n_tiles·L, n_batched), ``amplitudes`` (n_tiles·L, 2**n) or empty for |0…0⟩,
    ``state`` (n_tiles, 2, 2**n·L) receives the final states if ``keep`` (else one tile of scratch),
    ``out`` (n_tiles, n_observables, L) receives the values.
    """
    lanes = out.shape[2]
    size = state.shape[2]
    scratch = np.empty((2, size), state.dtype)
    work = work_space(gate_factors)
    m = np.empty((8, lanes), state.dtype)
    cos = np.empty(lanes, state.dtype)
    sin = np.empty(lanes, state.dtype)
    for tile in range(first_tile, last_tile):
        slot = tile if keep else 0
        re, im = state[slot, 0], state[slot, 1]
        other_re, other_im = scratch[0], scratch[1]
        rows = batched[tile * lanes : (tile + 1) * lanes]
        prepare(re, im, lanes, amplitudes, tile)
        for p in range(passes.shape[0]):
            kind, a, b = passes[p, 0], passes[p, 1], passes[p, 2]
            c, d = passes[p, 3], passes[p, 4]
            if kind == 0 and c:
                lane_matrices(b, gate_factors, factors, constants, shared, rows, work, m)
                k.apply_one_batched(re, im, lanes << a, lanes, m)
            elif kind == 0:
                k.apply_one(re, im, lanes << a, matrices[b])
            elif kind == 1:
                half_angles(c, d, shared, rows, 1.0, cos, sin)
                k.apply_rotation(re, im, lanes, a, b, cos, sin)
            elif kind == 2:
                k.permute(re, im, lanes, tables[a], other_re, other_im)
                re, other_re = other_re, re
                im, other_im = other_im, im
            elif kind == 3:
                matrix, where = dense_block(dense, offsets, dense_start, a)
                k.apply_dense(re, im, lanes, matrix, where)
            else:
                k.apply_phases(re, im, lanes, phases[a], 1)
        for g in range(term_x.size):
            k.measure(
                re, im, lanes, term_x[g], term_start[g], term_start[g + 1], term_z, term_c,
                term_o, out[tile],
            )  # fmt: skip
        if keep:
            # an odd number of permutations has left the state in the scratch buffer
            odd = 0
            for p in range(passes.shape[0]):
                odd ^= passes[p, 0] == 2
            if odd:
                state[slot, 0, :] = re
                state[slot, 1, :] = im


@jit
def prepare(re, im, lanes, amplitudes, tile):
    """The initial states of a tile."""
    im[:] = 0
    if amplitudes.shape[1] == 0:
        re[:] = 0
        re[:lanes] = 1
        return
    for i in range(amplitudes.shape[1]):
        for lane in range(lanes):
            re[i * lanes + lane] = amplitudes[tile * lanes + lane, i]


@jit
def dense_block(dense, offsets, dense_start, index):
    """One fixed matrix and the index of every one of its basis states."""
    width = offsets[index, 0]
    size = 1 << width
    start = dense_start[index]
    return dense[start : start + size * size].reshape(size, size), offsets[index, 1 : 1 + size]


@jit
def backward(
    passes, gate_factors, factors, constants, tables, phases, dense, offsets, dense_start,
    term_start, term_x, term_z, term_c, term_o,
    matrices, shared, batched, state, grad, d_shared, d_batched, d_amplitudes,
    first_tile, last_tile,
):  # fmt: skip
    """The vector-Jacobian product of tiles first_tile … last_tile; un-applies ``state`` in place.

    ``grad`` is (n_tiles, n_observables, L); adds to ``d_shared`` (n_shared,), writes ``d_batched``
    (n_tiles·L, n_batched) and ``d_amplitudes`` (n_tiles·L, 2**n) where it is not empty.
    """
    lanes = grad.shape[2]
    size = state.shape[2]
    scratch = np.empty((2, size), state.dtype)
    work = work_space(gate_factors)
    lam = np.empty((2, size), state.dtype)
    m = np.empty((8, lanes), state.dtype)
    inverse = np.empty((8, lanes), state.dtype)
    one = np.empty(8, state.dtype)
    cos = np.empty(lanes, state.dtype)
    sin = np.empty(lanes, state.dtype)
    lane_k = np.empty((8, lanes), state.dtype)
    lane_sum = np.empty(lanes, state.dtype)
    column = np.empty(8)
    totals = np.zeros((gate_factors.size, 8))
    none = np.zeros(1)
    for tile in range(first_tile, last_tile):
        pr, pi = state[tile, 0], state[tile, 1]
        lr, li = lam[0], lam[1]
        sr, si = scratch[0], scratch[1]
        rows = batched[tile * lanes : (tile + 1) * lanes]
        d_rows = d_batched[tile * lanes : (tile + 1) * lanes]
        lr[:] = 0
        li[:] = 0
        for g in range(term_x.size):
            k.weigh(
                pr, pi, lanes, term_x[g], term_start[g], term_start[g + 1], term_z, term_c,
                term_o, grad[tile], lr, li,
            )  # fmt: skip
        for p in range(passes.shape[0] - 1, -1, -1):
            kind, a, b = passes[p, 0], passes[p, 1], passes[p, 2]
            c, d = passes[p, 3], passes[p, 4]
            if kind == 0 and c:
                lane_matrices(b, gate_factors, factors, constants, shared, rows, work, m)
                for e, f in enumerate((0, 1, 4, 5, 2, 3, 6, 7)):
                    for lane in range(lanes):
                        inverse[e, lane] = m[f, lane] if e % 2 == 0 else -m[f, lane]
                k.apply_one_batched(pr, pi, lanes << a, lanes, inverse)
                lane_k[:] = 0
                k.collect_one_batched(lr, li, pr, pi, lanes << a, lanes, lane_k)
                k.apply_one_batched(lr, li, lanes << a, lanes, inverse)
                first = gate_factors[b]
                if gate_factors[b + 1] - first == 1 and factors[first, 0] != 3:
                    single_gradients(factors[first, 0], factors[first, 2], m, lane_k, d_rows)
                    continue
                for lane in range(lanes):
                    for e in range(8):
                        column[e] = lane_k[e, lane]
                    k.gate_gradient(
                        gate_factors[b], gate_factors[b + 1], factors, constants, shared,
                        rows[lane], column, work, d_shared, d_rows[lane],
                    )  # fmt: skip
            elif kind == 0:
                k.adjoint(matrices[b], one)
                k.apply_one(pr, pi, lanes << a, one)
                k.collect_one(lr, li, pr, pi, lanes << a, totals[b])
                k.apply_one(lr, li, lanes << a, one)
            elif kind == 1:
                lane_sum[:] = 0
                k.collect_rotation(lr, li, pr, pi, lanes, a, b, lane_sum)
                for lane in range(lanes):
                    if d:
                        d_rows[lane, c] += lane_sum[lane]
                    else:
                        d_shared[c] += lane_sum[lane]
                half_angles(c, d, shared, rows, -1.0, cos, sin)
                k.apply_rotation(pr, pi, lanes, a, b, cos, sin)
                k.apply_rotation(lr, li, lanes, a, b, cos, sin)
            elif kind == 2:
                k.permute_back(pr, pi, lanes, tables[a], sr, si)
                pr, sr = sr, pr
                pi, si = si, pi
                k.permute_back(lr, li, lanes, tables[a], sr, si)
                lr, sr = sr, lr
                li, si = si, li
            elif kind == 3:
                matrix, where = dense_block(dense, offsets, dense_start, a)
                undo = np.conj(matrix.T).copy()
                k.apply_dense(pr, pi, lanes, undo, where)
                k.apply_dense(lr, li, lanes, undo, where)
            else:
                k.apply_phases(pr, pi, lanes, phases[a], -1)
                k.apply_phases(lr, li, lanes, phases[a], -1)
        for i in range(d_amplitudes.shape[1]):
            for lane in range(lanes):
                d_amplitudes[tile * lanes + lane, i] = 2 * lr[i * lanes + lane]
    for p in range(passes.shape[0]):
        if passes[p, 0] == 0 and not passes[p, 3]:
            g = passes[p, 2]
            k.gate_gradient(
                gate_factors[g], gate_factors[g + 1], factors, constants, shared, none, totals[g],
                work, d_shared, none,
            )  # fmt: skip
