"""Noisy program → plan: few large matrices instead of many small ones.

Consecutive single-qubit steps on a qubit form a chain of 4×4 matrices. A step on two qubits takes
the chains of its qubits in front of it, and everything on the same pair up to the next foreign step
is one block. What no sample changes becomes one 16×16 matrix per block and call, or per plan where
it has no angle at all. Chains that differ from sample to sample are multiplied out side by side,
all chains of the circuit at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from qvlm_qiskit.basics.pauli_transfer import Ptm
from qvlm_qiskit.quantum.density.noisy_program import NoisyProgram, NoisyStep
from qvlm_qiskit.quantum.density.superoperators import swapped
from qvlm_qiskit.quantum.program.lifetimes import passages

Pair = tuple[int, int]
"""Two active qubits, ascending; the first is the least significant digit of 16×16 matrices."""

Kind = Literal["constant", "shared", "chains", "rotation"]


@dataclass(eq=False)
class Chain:
    """A product of 4×4 matrices on one qubit: a constant, then rotations with what follows them."""

    start: Ptm = field(default_factory=lambda: np.eye(4))
    rotations: list[tuple[Ptm, int]] = field(default_factory=list)

    def add(self, step: NoisyStep) -> None:
        """Append a step; constants merge into what stands before them."""
        if step.row is not None:
            self.rotations.append((step.parts, step.row))
        elif self.rotations:
            parts, row = self.rotations[-1]
            self.rotations[-1] = (step.parts[0] @ parts, row)
        else:
            self.start = step.parts[0] @ self.start

    @property
    def rows(self) -> list[int]:
        """The angles that it depends on."""
        return [row for _, row in self.rotations]


@dataclass(eq=False)
class Unit:
    """A gate on two qubits after the chains of both: parts·(second ⊗ first)."""

    first: Chain
    second: Chain
    parts: Ptm  # (3 or 1, 16, 16)
    row: int | None


@dataclass(frozen=True)
class Element:
    """One matrix of a block: an index into the plan's list of its kind."""

    kind: Kind
    index: int


@dataclass(frozen=True)
class FusedBlock:
    """Consecutive matrices on one pair.

    Attributes:
        enters: How many qubits in |0⟩ join the state first, as its last axes.
        axes: How the tensor axes are permuted then, so that the pair comes last; None if it does.
        elements: In order of application.
        leaves: Which of the last two axes, 0 or 1, are traced out afterwards.
    """

    enters: int
    axes: tuple[int, ...] | None
    elements: tuple[Element, ...]
    leaves: tuple[int, ...]


@dataclass(eq=False)
class DensityPlan:
    """What the engine multiplies, and in which order; a state begins as the single number 1.

    Attributes:
        blocks: In order of application.
        constants: 16×16 matrices without angles.
        shared: Units whose angles all samples share.
        chains: Pairs of chains of which at least one differs from sample to sample.
        rotations: Two-qubit rotations that differ from sample to sample: parts and row.
        enters: How many qubits in |0⟩ join the state at the end, as its last axes.
        order: The qubit of every tensor axis at the end, most significant first.
        widths: How many qubits the state of every product has.
    """

    blocks: list[FusedBlock] = field(default_factory=list)
    constants: list[Ptm] = field(default_factory=list)
    shared: list[Unit] = field(default_factory=list)
    chains: list[tuple[Chain, Chain]] = field(default_factory=list)
    rotations: list[tuple[Ptm, int]] = field(default_factory=list)
    enters: int = 0
    order: tuple[int, ...] = ()
    widths: list[int] = field(default_factory=list)


def plan_density(
    program: NoisyProgram, is_batched: Callable[[int], bool], read: Collection[int]
) -> DensityPlan:
    """Plan a program.

    Args:
        program: The steps.
        is_batched: Whether an angle's row differs from sample to sample.
        read: Qubits that stay to the end.
    """
    gathered = _Gatherer(max(2, program.num_qubits))
    for step in program.steps:
        gathered.add(step)
    plan = DensityPlan()
    found = [(pair, _elements(plan, units, is_batched)) for pair, units in gathered.finish()]
    blocks = [(pair, elements) for pair, elements in found if elements]
    order: list[int] = []
    for (pair, elements), passage in zip(
        blocks, passages([pair for pair, _ in blocks], read), strict=True
    ):
        order += passage.enters
        axes = _to_the_end(order, pair)
        order = [order[axis] for axis in axes]
        permuted = None if axes == list(range(len(axes))) else tuple(axes)
        leaves = tuple(order[-2:].index(qubit) for qubit in passage.leaves)
        plan.widths += [len(order)] * len(elements)
        plan.blocks.append(FusedBlock(len(passage.enters), permuted, tuple(elements), leaves))
        order = [qubit for qubit in order if qubit not in passage.leaves]
    missing = sorted(set(read) - set(order))
    plan.enters, plan.order = len(missing), (*order, *missing)
    return plan


class _Gatherer:
    """Sorts steps into blocks of units."""

    def __init__(self, num_qubits: int) -> None:
        self.num_qubits = num_qubits
        self._blocks: list[tuple[Pair, list[Unit]]] = []
        self._pending: dict[int, Chain] = {}
        self._last: dict[int, int] = {}

    def add(self, step: NoisyStep) -> None:
        if len(step.qubits) == 1:
            self._pending.setdefault(step.qubits[0], Chain()).add(step)
            return
        first, second = step.qubits
        parts = step.parts if first < second else swapped(step.parts)
        self._two((min(first, second), max(first, second)), parts, step.row)

    def finish(self) -> list[tuple[Pair, list[Unit]]]:
        """The blocks; chains that no gate follows go behind the last block of their qubit."""
        alone = sorted(set(self._pending) - set(self._last))
        for qubit in sorted(set(self._pending) - set(alone)):
            if qubit in self._pending:
                self._two(self._blocks[self._last[qubit]][0], np.eye(16)[None], None)
        for first, second in zip(alone[::2], alone[1::2], strict=False):
            self._two((first, second), np.eye(16)[None], None)
        if len(alone) % 2:
            other = next(q for q in range(self.num_qubits) if q != alone[-1])
            pair = (min(other, alone[-1]), max(other, alone[-1]))
            self._two(pair, np.eye(16)[None], None)
        return self._blocks

    def _two(self, pair: Pair, parts: Ptm, row: int | None) -> None:
        at = self._last.get(pair[0])
        if at is None or self._last.get(pair[1]) != at or self._blocks[at][0] != pair:
            at = len(self._blocks)
            self._blocks.append((pair, []))
        waiting = [self._pending.pop(qubit, None) for qubit in pair]
        units = self._blocks[at][1]
        if units and row is None and waiting == [None, None]:
            units[-1].parts = parts[0] @ units[-1].parts
        else:
            first, second = (Chain() if chain is None else chain for chain in waiting)
            units.append(Unit(first, second, parts, row))
        self._last.update(dict.fromkeys(pair, at))


def _elements(
    plan: DensityPlan, units: Iterable[Unit], is_batched: Callable[[int], bool]
) -> list[Element]:
    elements: list[Element] = []
    for unit in units:
        rows = [*unit.first.rows, *unit.second.rows]
        if any(is_batched(row) for row in rows):
            elements.append(_kept(plan.chains, "chains", (unit.first, unit.second)))
            unit = Unit(Chain(), Chain(), unit.parts, unit.row)
            rows = []
        if unit.row is not None and is_batched(unit.row):
            if rows or _moves(unit):
                before = Unit(unit.first, unit.second, np.eye(16)[None], None)
                elements += _unbatched(plan, before, elements)
            elements.append(_kept(plan.rotations, "rotation", (unit.parts, unit.row)))
        else:
            elements += _unbatched(plan, unit, elements)
    return elements


def _unbatched(plan: DensityPlan, unit: Unit, elements: list[Element]) -> list[Element]:
    """A unit that all samples share; constants merge with a constant before them."""
    if unit.row is not None or unit.first.rotations or unit.second.rotations:
        return [_kept(plan.shared, "shared", unit)]
    matrix = unit.parts[0] @ np.kron(unit.second.start, unit.first.start)
    if elements and elements[-1].kind == "constant":
        plan.constants[elements[-1].index] = matrix @ plan.constants[elements[-1].index]
        return []
    if np.array_equal(matrix, np.eye(16)):
        return []
    return [_kept(plan.constants, "constant", matrix)]


def _moves(unit: Unit) -> bool:
    still = np.eye(4)
    return not all(np.array_equal(chain.start, still) for chain in (unit.first, unit.second))


def _kept(kept: list[Any], kind: Kind, item: Any) -> Element:
    kept.append(item)
    return Element(kind, len(kept) - 1)


def _to_the_end(order: list[int], pair: Pair) -> list[int]:
    """Axes in the new order: the others as they are, then the pair, least significant last."""
    others = [axis for axis, qubit in enumerate(order) if qubit not in pair]
    return [*others, order.index(pair[1]), order.index(pair[0])]
