"""Numba drivers: all tiles of a batch through the units, forwards, and back for the gradient.

The way forward keeps the states before every pass: noise can't be undone. The way back applies the
transposed passes to λ = Σ g_o O_o and collects, per chain M, K = λ_after ψ_beforeᵀ = ∂f/∂M.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import uint64

from qvlm_qiskit.quantum.density.cpu import chains, rows
from qvlm_qiskit.quantum.density.cpu import kernels as k
from qvlm_qiskit.quantum.density.cpu.arrays import (
    DENSE,
    ENTER,
    LEAVE,
    borrowed_space,
    borrowed_units,
    work_space,
)
from qvlm_qiskit.quantum.statevector.cpu.borrowed import borrow, hold
from qvlm_qiskit.quantum.statevector.cpu.jit import inlined, jit


@inlined
def widen(matrix, lanes, width, out, transposed):
    """A chain's product, (16, lanes), for every column of a block."""
    for e in range(16):
        source = matrix[(e & 3) * 4 + (e >> 2)] if transposed else matrix[e]
        first = uint64(e) * k.STRIDE
        if lanes == 1:
            rows.fill(out[first : first + width], source[0])
            continue
        rows.copy(out[first : first + uint64(lanes)], source)
        there = uint64(lanes)
        # each time twice as many: short copies had taken half of a few samples' time
        while there < width:
            rows.copy(out[first + there : first + there + there], out[first : first + there])
            there += there


@inlined
def width_of(lanes, size):
    """Columns of a block: as many as there is room for, or as a unit has."""
    return uint64(max(min(k.STRIDE, uint64(size) >> uint64(4)), uint64(lanes)))


@inlined
def state_of(plan, states, u, lanes, keep):
    """The state before pass u; scratch for two of them where they are not kept."""
    size = (plan.first[u + 1] - plan.first[u]) * lanes
    begin = plan.first[u] * lanes if keep else (u & 1) * (states.size >> 1)
    return states[begin : begin + size]


@jit
def forward(plan, shared, batched, products, states, out, first_tile, last_tile, keep):
    """Run tiles first_tile … last_tile.

    Cosines and sines: ``shared`` is (2, n_shared), ``batched`` (n_tiles, 2, n_batched, L).
    ``products`` (n_tiles, n_chains, 16, L) receives the chains, ``states`` (n_tiles, N·L) the
    states before every pass and the last one if ``keep`` (else it is scratch, (1, 2·4**n·L) for up
    to n qubits), ``out`` (n_tiles, n_observables, L) the values.
    """
    plan, shared, batched = borrowed_units(plan), borrow(shared), borrow(batched)
    products, states, out = borrow(products), borrow(states), borrow(out)
    lanes, count = out.shape[2], plan.passes.shape[0]
    memory = work_space(plan, lanes, states)
    work = borrowed_space(memory)
    for tile in range(first_tile, last_tile):
        own = states[tile if keep else 0]
        chains.products(plan, shared, batched[tile], lanes, work, products[tile])
        rows.fill(state_of(plan, own, 0, lanes, keep), 1)
        for u in range(count):
            state = state_of(plan, own, u, lanes, keep)
            after = state_of(plan, own, u + 1, lanes, keep)
            if plan.passes[u, 4] == ENTER:
                k.enter(state, after)
            elif plan.passes[u, 4] == LEAVE:
                k.leave(state, after, uint64(lanes) << uint64(2 * plan.passes[u, 0]))
            else:
                unit(plan, u, products[tile], lanes, work, state, after)
        last = state_of(plan, own, count, lanes, keep)
        for t in range(plan.read_index.size):
            row, factor = plan.read_index[t] * lanes, plan.read_factor[t]
            column = out[tile, plan.read_column[t]]
            rows.add(column, factor, last[row : row + lanes])
    hold(memory)


@inlined
def unit(plan, u, products, lanes, work, state, after):
    """One unit: its chains and its matrix."""
    kind, index = plan.passes[u, 4], plan.passes[u, 5]
    low_step = uint64(lanes) << uint64(2 * plan.passes[u, 0])
    high_step = uint64(lanes) << uint64(2 * plan.passes[u, 1])
    width = width_of(lanes, state.size)
    block, other = work.block, work.other
    for digit in range(2):
        if plan.passes[u, 2 + digit] >= 0:
            widen(products[plan.passes[u, 2 + digit]], lanes, width, work.wide[digit], False)
    for rest in range(uint64(0), uint64(state.size) >> uint64(4), width):
        k.load(state, block, rest, low_step, high_step, width)
        for digit in range(2):
            if plan.passes[u, 2 + digit] >= 0:
                k.apply(block, digit, work.wide[digit], other, width)
                block, other = other, block
        if kind == DENSE:
            k.multiply(plan.dense[index], block, other, width)
            block, other = other, block
        matrix = 0 if kind == DENSE else index
        k.store(
            block, after, rest, low_step, high_step, width,
            plan.sources[matrix], plan.factors[matrix],
        )  # fmt: skip


@jit
def backward(
    plan, shared, batched, products, states, grad, d_shared, d_batched, first_tile, last_tile
):
    """The vector-Jacobian product of tiles first_tile … last_tile.

    ``grad`` is (n_tiles, n_observables, L); adds to ``d_shared`` (n_shared,) and ``d_batched``
    (n_tiles, n_batched, L).
    """
    plan, shared, batched = borrowed_units(plan), borrow(shared), borrow(batched)
    products, states, grad = borrow(products), borrow(states), borrow(grad)
    d_shared, d_batched = borrow(d_shared), borrow(d_batched)
    lanes, count = grad.shape[2], plan.passes.shape[0]
    most = 0
    for u in range(count + 1):
        most = max(most, plan.first[u + 1] - plan.first[u])
    memory = (
        work_space(plan, lanes, states),
        np.empty((2, most * lanes), states.dtype),
        np.empty(products.shape[1:], states.dtype),
    )
    work, both, slopes = borrowed_space(memory[0]), borrow(memory[1]), borrow(memory[2])
    lam, spare = both[0], both[1]
    for tile in range(first_tile, last_tile):
        rows.fill(lam, 0)
        rows.fill(slopes.ravel(), 0)
        for t in range(plan.read_index.size):
            row, factor = plan.read_index[t] * lanes, plan.read_factor[t]
            seed = grad[tile, plan.read_column[t]]
            rows.add(lam[row : row + lanes], factor, seed)
        for u in range(count - 1, -1, -1):
            state = state_of(plan, states[tile], u, lanes, True)
            after = (plan.first[u + 2] - plan.first[u + 1]) * lanes
            if plan.passes[u, 4] == ENTER:
                # |0⟩ is I + Z
                rows.add(lam[: state.size], slopes.dtype.type(1), lam[3 * state.size : after])
            elif plan.passes[u, 4] == LEAVE:
                step = uint64(lanes) << uint64(2 * plan.passes[u, 0])
                k.return_to(lam[:after], spare[: state.size], step)
                lam, spare = spare, lam
            else:
                unit_back(plan, u, products[tile], lanes, work, state, lam[:after], slopes)
        chains.gradients(
            plan, shared, batched[tile], lanes, work, slopes, d_shared, d_batched[tile]
        )
    hold(memory)


@inlined
def unit_back(plan, u, products, lanes, work, state, lam, slopes):
    """One unit back: λ in place, and K of its chains from the states before it."""
    kind, index = plan.passes[u, 4], plan.passes[u, 5]
    low_step = uint64(lanes) << uint64(2 * plan.passes[u, 0])
    high_step = uint64(lanes) << uint64(2 * plan.passes[u, 1])
    width = width_of(lanes, state.size)
    block, other, after = work.block, work.other, work.lam
    some = False
    for digit in range(2):
        chain = plan.passes[u, 2 + digit]
        work.turns[digit] = chain >= 0 and plan.chain_first[chain + 1] > plan.chain_first[chain]
        some = some or work.turns[digit]
        if chain >= 0:
            widen(products[chain], lanes, width, work.wide[digit], False)
            widen(products[chain], lanes, width, work.back_wide[digit], True)
            rows.fill(work.sums[digit], 0)
    for rest in range(uint64(0), uint64(state.size) >> uint64(4), width):
        k.load(lam, other, rest, low_step, high_step, width)
        if kind == DENSE:
            k.multiply(plan.dense[index].T, other, after, width)
        else:
            k.scatter(other, after, width, plan.sources[index], plan.factors[index])
        if some:
            k.load(state, block, rest, low_step, high_step, width)
        for digit in range(1, -1, -1):
            if plan.passes[u, 2 + digit] < 0:
                continue
            if work.turns[digit]:
                before = block
                if digit and plan.passes[u, 2] >= 0:
                    # what the higher qubit's chain meets has gone through the lower one's
                    k.apply(block, 0, work.wide[0], other, width)
                    before = other
                k.collect(after, before, digit, work.sums[digit], width)
            k.apply(after, digit, work.back_wide[digit], other, width)
            after, other = other, after
        k.store(
            after, lam, rest, low_step, high_step, width,
            plan.sources[0], plan.factors[0],
        )  # fmt: skip
    for digit in range(2):
        if work.turns[digit]:
            narrow(work.sums[digit], lanes, width, slopes[plan.passes[u, 2 + digit]])


@inlined
def narrow(sums, lanes, width, total):
    """Add sums per column of a block to those per sample, (16, lanes); uses them up."""
    one = sums[0] * 0 + 1
    for e in range(uint64(0), uint64(16)):
        first = e * k.STRIDE
        if lanes == 1:
            total[e, 0] += rows.total(sums[first : first + width])
            continue
        half = width >> uint64(1)
        while half >= uint64(lanes):
            second = first + half
            rows.add(sums[first:second], one, sums[second : second + half])
            half >>= uint64(1)
        rows.add(total[e], one, sums[first : first + uint64(lanes)])
