"""Numba kernels: products of 4×4 matrices on one qubit, and their gradients.

A chain is a constant and then rotations R₀ + cos θ R₁ + sin θ R₂; ``lanes`` samples run side by
side.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from qvlm_qiskit.quantum.density.cpu import rows
from qvlm_qiskit.quantum.statevector.cpu.jit import inlined, within


@inlined
def rotation(plan, r, shared, batched, lanes, out, turn):
    """Rotation r, (16, lanes), and cos and sin of its angle, (2, lanes)."""
    angle, varies = plan.rotation_angle[r], plan.rotation_varies[r]
    for part in range(2):
        for lane in range(lanes):
            turn[part, lane] = batched[part, angle, lane] if varies else shared[part, angle]
    parts = plan.rotation_parts[r]
    for e in range(16):
        rows.fill(out[e], parts[0, e])
        rows.add(out[e], parts[1, e], turn[0])
        rows.add(out[e], parts[2, e], turn[1])


@inlined
def matrix_product(left, right, out, transposed):
    """``left @ right`` of 4×4 matrices, (16, lanes) each; leftᵀ if ``transposed``."""
    row, column = (1, 4) if transposed else (4, 1)
    for e in range(16):
        i, j = row * (e // 4), e % 4
        rows.combine(
            out[e], left[i], left[i + column], left[i + 2 * column], left[i + 3 * column],
            right[j], right[4 + j], right[8 + j], right[12 + j],
        )  # fmt: skip


@inlined
def prefixes(plan, chain, shared, batched, lanes, work):
    """A chain's products up to every rotation, into ``work.prefixes``; how many rotations."""
    start, first = plan.chain_start[chain], plan.chain_first[chain]
    for e in range(16):
        rows.fill(work.prefixes[0, e], start[e])
    depth = plan.chain_first[chain + 1] - first
    for level in range(depth):
        rotation(plan, first + level, shared, batched, lanes, work.rotation, work.turn)
        before, after = work.prefixes[level], work.prefixes[level + 1]
        matrix_product(work.rotation, before, after, False)
    return depth


@within
def products(plan, shared, batched, lanes, work, out):
    """All chains of a tile multiplied out, (n_chains, 16, lanes)."""
    for chain in range(out.shape[0]):
        depth = prefixes(plan, chain, shared, batched, lanes, work)
        for e in range(16):
            rows.copy(out[chain, e], work.prefixes[depth, e])


@within
def gradients(plan, shared, batched, lanes, work, k, d_shared, d_batched):
    """Add the gradients of a tile's angles; ``k`` (n_chains, 16, lanes) are the products', used up.

    ``d_shared`` is (n_shared,), ``d_batched`` (n_batched, lanes).
    """
    for chain in range(k.shape[0]):
        first = plan.chain_first[chain]
        depth = prefixes(plan, chain, shared, batched, lanes, work)
        for level in range(depth - 1, -1, -1):
            r = first + level
            rotation(plan, r, shared, batched, lanes, work.rotation, work.turn)
            slopes(plan, r, work.prefixes[level], k[chain], lanes, work)
            angle = plan.rotation_angle[r]
            for lane in range(lanes):
                if plan.rotation_varies[r]:
                    d_batched[angle, lane] += work.slope[lane]
                else:
                    d_shared[angle] += work.slope[lane]
            matrix_product(work.rotation, k[chain], work.back, True)
            for e in range(16):
                rows.copy(k[chain, e], work.back[e])


@inlined
def slopes(plan, r, before, k, lanes, work):
    """Σ ∂R/∂θ ∘ (k beforeᵀ) of rotation r, (lanes,), into ``work.slope``."""
    parts, slope = plan.rotation_parts[r], work.slope
    rows.fill(slope, 0)
    for e in range(16):
        p1, p2 = parts[1, e], parts[2, e]
        if p1 == 0 and p2 == 0:
            continue
        rows.scale(work.turned, p2, work.turn[0])
        rows.add(work.turned, -p1, work.turn[1])
        row, column = 4 * (e // 4), 4 * (e % 4)
        rows.combine(
            work.dot, k[row], k[row + 1], k[row + 2], k[row + 3],
            before[column], before[column + 1], before[column + 2], before[column + 3],
        )  # fmt: skip
        for lane in range(lanes):
            slope[lane] += work.turned[lane] * work.dot[lane]
