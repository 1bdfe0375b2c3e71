"""Merging variables that go together, until few enough are left to try all.

In each round the Ising model that is left gets scores for each pair of its spins and for each spin
by itself; the pair of the strongest score is merged, or the spin fixed, if the problem's
constraints leave that open. After recursive QAOA (arXiv:1910.08980), with the checks of graph
shrinking (arXiv:2506.14250).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qvlm_qiskit.quantum.ising import Bits, Floats, Ising, all_bits
from qvlm_qiskit.studies.shrinking.problems import Problem

Scores = Callable[[Ising], tuple[Floats, Floats]]
"""An Ising model → a score for each spin's sign, and for each pair's product."""


@dataclass(frozen=True)
class Shrunk:
    """What merging found.

    Attributes:
        bits: Of the problem's QUBO.
        merges: How many variables went.
        refused: How many merges the constraints did not allow.
    """

    bits: Bits
    merges: int
    refused: int


class _Group:
    """Spins that are known relative to one of them; with ``fixed`` they are known at all."""

    def __init__(self, signs: dict[int, int], fixed: bool = False) -> None:
        self.signs = signs
        self.fixed = fixed

    def joined(self, other: _Group, sign: int) -> _Group:
        signs = {spin: sign * own for spin, own in other.signs.items()}
        return _Group({**self.signs, **signs}, self.fixed)

    def possible(self, problem: Problem) -> bool:
        """Whether one of the group's assignments is allowed by itself."""
        return any(
            problem.allows({
                spin: int(flip * sign < 0)
                for spin, sign in self.signs.items() if spin < problem.answers
            })
            for flip in ((1,) if self.fixed else (1, -1))
        )  # fmt: skip


def shrink(problem: Problem, scores: Scores, left: int) -> Shrunk:
    """Merge and fix variables, and try all values of those that are left.

    Args:
        problem: What is solved.
        scores: Where the order and the signs of merges come from.
        left: How many variables are not merged.
    """
    ising = problem.ising()
    groups = [_Group({spin: 1}) for spin in range(ising.size)]
    known = _Group({}, fixed=True)
    merges = refused = 0
    while ising.size > left and (ising.fields.any() or ising.couplings.any()):
        for one, other, sign in _ranked(*scores(ising)):
            joined = (known if other is None else groups[other]).joined(groups[one], sign)
            if joined.possible(problem):
                break
            refused += 1
        else:
            break
        if other is None:
            known, ising = joined, ising.fixed(one, sign)
        else:
            groups[other], ising = joined, ising.merged(other, one, sign)
        del groups[one]
        merges += 1
    return Shrunk(_expanded(ising, groups, known), merges, refused)


def _ranked(single: Floats, pairs: Floats) -> list[tuple[int, int | None, int]]:
    """(spin, the one that it becomes or None, sign) by descending score; both signs of each."""
    count = len(single)
    found: list[tuple[float, int, int | None, int]] = []
    for i in range(count):
        for other, score in [(None, single[i]), *((j, pairs[i, j]) for j in range(i))]:
            sign = 1 if score >= 0 else -1
            found += [(abs(score), i, other, sign), (-abs(score), i, other, -sign)]
    found.sort(key=lambda one: -one[0])
    return [(spin, other, sign) for _, spin, other, sign in found]


def _expanded(ising: Ising, groups: list[_Group], known: _Group) -> Bits:
    """The least energy of what is left, as bits of the whole."""
    every = all_bits(ising.size)
    best = every[int(np.argmin(ising.energies(every)))]
    signs = dict(known.signs)
    for group, bit in zip(groups, best, strict=True):
        signs |= {spin: own * (1 - 2 * int(bit)) for spin, own in group.signs.items()}
    return np.array([signs[spin] < 0 for spin in range(len(signs))], dtype=np.int8)
