"""Noisy program → units: one pass over the states for every gate on two qubits.

A unit is the chains of single-qubit steps that wait on its two qubits, and then a constant matrix
on both. Under the usual noise that matrix has one entry per row: a Clifford gate permutes Pauli
strings, and depolarizing or Pauli noise scales them. Between units qubits join the state, as its
most significant digit, and leave it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from qvlm_qiskit.basics.pauli_transfer import Ptm
from qvlm_qiskit.quantum.density.noisy_program import NoisyProgram, NoisyStep
from qvlm_qiskit.quantum.density.plan import Chain
from qvlm_qiskit.quantum.density.superoperators import swapped
from qvlm_qiskit.quantum.program.lifetimes import passages

NO_CHAIN = -1


@dataclass(eq=False)
class Unit:
    """Two chains, then a matrix.

    Attributes:
        low: The qubit, or its digit, that is the least significant one of the matrix.
        high: The other one, larger.
        chains: Indices of the chains of both; `NO_CHAIN` where nothing waits.
        matrix: 16×16.
    """

    low: int
    high: int
    chains: tuple[int, int]
    matrix: Ptm


@dataclass(frozen=True)
class Enter:
    """A qubit in |0⟩ becomes the most significant digit."""


@dataclass(frozen=True)
class Leave:
    """A qubit is traced out.

    Attributes:
        digit: Its place; digits above move down.
    """

    digit: int


Pass = Unit | Enter | Leave


@dataclass
class UnitPlan:
    """What is done to a state, in order; it begins as the single number 1.

    Attributes:
        passes: On digits of the state.
        chains: What they refer to.
        order: The qubit of every digit at the end, least significant first.
    """

    passes: list[Pass] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)
    order: tuple[int, ...] = ()

    def widths(self) -> list[int]:
        """The state's digits before every pass, and at the end."""
        steps = [isinstance(each, Enter) - isinstance(each, Leave) for each in self.passes]
        return list(accumulate(steps, initial=0))


def plan_units(program: NoisyProgram, read: Collection[int]) -> UnitPlan | None:
    """Cut a program into units; None where a gate on two qubits has an angle.

    Args:
        program: The steps.
        read: Qubits that stay to the end.
    """
    if any(len(step.qubits) == 2 and step.row is not None for step in program.steps):
        return None
    gathered = _Gatherer()
    for step in program.steps:
        gathered.add(step)
    units, chains = gathered.finish()
    passes, order = _passes(units, read)
    return UnitPlan(passes, chains, order)


def _passes(units: Sequence[Unit], read: Collection[int]) -> tuple[list[Pass], tuple[int, ...]]:
    """Units on qubits as passes on digits, and the qubits of the last state's digits."""
    order: list[int] = []
    found: list[Pass] = []
    comings = passages([(unit.low, unit.high) for unit in units], read)
    for unit, passage in zip(units, comings, strict=True):
        found += [Enter() for _ in passage.enters]
        order += passage.enters
        found.append(_on_digits(unit, order.index(unit.low), order.index(unit.high)))
        for qubit in passage.leaves:
            found.append(Leave(order.index(qubit)))
            order.remove(qubit)
    missing = sorted(set(read) - set(order))
    return [*found, *(Enter() for _ in missing)], (*order, *missing)


def _on_digits(unit: Unit, first: int, second: int) -> Unit:
    if first < second:
        return Unit(first, second, unit.chains, unit.matrix)
    return Unit(second, first, unit.chains[::-1], swapped(unit.matrix))


class _Gatherer:
    def __init__(self) -> None:
        self._units: list[Unit] = []
        self._chains: list[Chain] = []
        self._waiting: dict[int, Chain] = {}

    def add(self, step: NoisyStep) -> None:
        if len(step.qubits) == 1:
            self._waiting.setdefault(step.qubits[0], Chain()).add(step)
            return
        first, second = step.qubits
        matrix = step.parts[0] if first < second else swapped(step.parts[0])
        self._unit(min(first, second), max(first, second), matrix)

    def finish(self) -> tuple[list[Unit], list[Chain]]:
        """Units on qubits, with the last chains two by two; and all chains."""
        waiting = sorted(self._waiting)
        for low, high in zip(waiting[::2], waiting[1::2], strict=False):
            self._unit(low, high, np.eye(16))
        if len(waiting) % 2:
            last = waiting[-1]
            other = self._beside(last)
            self._unit(min(other, last), max(other, last), np.eye(16))
        return self._units, self._chains

    def _beside(self, qubit: int) -> int:
        """Another qubit, if possible one that the last unit has in the state."""
        last = self._units[-1:]
        beside = [q for unit in last for q in (unit.high, unit.low) if q != qubit]
        return beside[0] if beside else int(qubit == 0)

    def _unit(self, low: int, high: int, matrix: Ptm) -> None:
        units = self._units
        idle = low not in self._waiting and high not in self._waiting
        if idle and units and (units[-1].low, units[-1].high) == (low, high):
            units[-1].matrix = matrix @ units[-1].matrix
            return
        units.append(Unit(low, high, (self._chain(low), self._chain(high)), matrix))

    def _chain(self, qubit: int) -> int:
        chain = self._waiting.pop(qubit, None)
        if chain is None or not (chain.rotations or np.any(chain.start != np.eye(4))):
            return NO_CHAIN
        self._chains.append(chain)
        return len(self._chains) - 1
