"""Numba kernels: the 2×2 matrices of all gates for one sample, and gradients from their K."""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np
from numba import uint64

from qvlm_qiskit.quantum.statevector.cpu import kernels as k
from qvlm_qiskit.quantum.statevector.cpu import one_qubit
from qvlm_qiskit.quantum.statevector.cpu.arrays import (
    STRIDE,
    borrowed_plan,
    borrowed_space,
    work_space,
)
from qvlm_qiskit.quantum.statevector.cpu.borrowed import borrow, hold
from qvlm_qiskit.quantum.statevector.cpu.jit import jit


@jit
def all_matrices(plan, shared, angles, work, out):
    """The matrices of all gates for one sample, (n_gates, 8); shared ones are there already."""
    for g in range(out.shape[0]):
        if plan.gate_batched[g]:
            m = one_qubit.gate_products(plan, g, shared, angles, work)
            for e in range(8):
                out[g, e] = m[uint64(e) * STRIDE]


@jit
def invert(matrices, out):
    """The inverse of every matrix."""
    for g in range(matrices.shape[0]):
        k.adjoint(matrices[g], out[g])


@jit
def add_gradients(plan, total, shared, angles, work, totals, d_shared, d_angles):
    """Of gates that differ from sample to sample, from their K; other K are added to totals."""
    for g in range(total.shape[0]):
        if plan.gate_batched[g]:
            one_qubit.gate_products(plan, g, shared, angles, work)
            for e in range(8):
                work.k[uint64(e) * STRIDE] = total[g, e]
            one_qubit.gate_gradients(plan, g, shared, angles, work, d_shared, d_angles)
        else:
            for e in range(8):
                totals[g, e] += total[g, e]


@jit
def matrices_of(plan, trig, num_shared, tile, tiles, both):
    """The matrices of one of so many samples and their inverses, into (2, n_gates, 8)."""
    plan, trig, both = borrowed_plan(plan), borrow(trig), borrow(both)
    memory = work_space(plan.gate_factors, np.int64(1), both)
    shared = trig[0, :num_shared], trig[1, :num_shared]
    angles = one_qubit.angles_of(trig, num_shared, tile, 1, tiles)
    one_qubit.shared_matrices(plan, shared, both[0])
    all_matrices(plan, shared, angles, borrowed_space(memory), both[0])
    invert(both[0], both[1])
    hold(memory)


@jit
def gradients_of(plan, trig, num_shared, tile, total, d_shared, d_batched):
    """Add the gradients of one sample's angles from K of all gates, (n_gates, 8)."""
    plan, trig = borrowed_plan(plan), borrow(trig)
    d_shared, d_batched = borrow(d_shared), borrow(d_batched)
    memory = work_space(plan.gate_factors, np.int64(1), trig), np.zeros(total.shape)
    totals = borrow(memory[1])
    shared = trig[0, :num_shared], trig[1, :num_shared]
    angles = one_qubit.angles_of(trig, num_shared, tile, 1, d_batched.shape[0])
    work = borrowed_space(memory[0])
    add_gradients(plan, total, shared, angles, work, totals, d_shared, d_batched[tile])
    one_qubit.shared_gradients(plan, shared, totals, d_shared)
    hold(memory)
