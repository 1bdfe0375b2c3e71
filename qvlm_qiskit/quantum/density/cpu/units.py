"""Noisy program → units: one pass over the states for every gate on two qubits.

A unit is the chains of single-qubit steps that wait on its two qubits, and then a constant matrix
on both. Under the usual noise that matrix has one entry per row: a Clifford gate permutes Pauli
strings, and depolarizing or Pauli noise scales them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from qvlm_qiskit.basics.pauli_transfer import Ptm
from qvlm_qiskit.quantum.density.noisy_program import NoisyProgram, NoisyStep
from qvlm_qiskit.quantum.density.plan import Chain
from qvlm_qiskit.quantum.density.superoperators import swapped

NO_CHAIN = -1


@dataclass(eq=False)
class Unit:
    """Two chains, then a matrix.

    Attributes:
        low: The qubit that is the least significant digit of the matrix.
        high: The other one, larger.
        chains: Indices of the chains of both; `NO_CHAIN` where nothing waits.
        matrix: 16×16.
    """

    low: int
    high: int
    chains: tuple[int, int]
    matrix: Ptm


@dataclass
class UnitPlan:
    """What is done to a state, in order.

    Attributes:
        num_qubits: Digits of the state, at least 2.
        units: The passes.
        chains: What they refer to.
    """

    num_qubits: int
    units: list[Unit] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)


def plan_units(program: NoisyProgram) -> UnitPlan | None:
    """Cut a program into units; None where a gate on two qubits has an angle.

    Args:
        program: The steps.
    """
    if any(len(step.qubits) == 2 and step.row is not None for step in program.steps):
        return None
    gathered = _Gatherer(UnitPlan(max(2, program.num_qubits)))
    for step in program.steps:
        gathered.add(step)
    return gathered.finish()


class _Gatherer:
    def __init__(self, plan: UnitPlan) -> None:
        self.plan = plan
        self._waiting: dict[int, Chain] = {}

    def add(self, step: NoisyStep) -> None:
        if len(step.qubits) == 1:
            self._waiting.setdefault(step.qubits[0], Chain()).add(step)
            return
        first, second = step.qubits
        matrix = step.parts[0] if first < second else swapped(step.parts[0])
        self._unit(min(first, second), max(first, second), matrix)

    def finish(self) -> UnitPlan:
        """The last chains, two by two."""
        waiting = sorted(self._waiting)
        for low, high in zip(waiting[::2], waiting[1::2], strict=False):
            self._unit(low, high, np.eye(16))
        if len(waiting) % 2:
            last = waiting[-1]
            other = 1 if last == 0 else 0
            self._unit(min(other, last), max(other, last), np.eye(16))
        return self.plan

    def _unit(self, low: int, high: int, matrix: Ptm) -> None:
        units = self.plan.units
        idle = low not in self._waiting and high not in self._waiting
        if idle and units and (units[-1].low, units[-1].high) == (low, high):
            units[-1].matrix = matrix @ units[-1].matrix
            return
        units.append(Unit(low, high, (self._chain(low), self._chain(high)), matrix))

    def _chain(self, qubit: int) -> int:
        chain = self._waiting.pop(qubit, None)
        if chain is None or not (chain.rotations or np.any(chain.start != np.eye(4))):
            return NO_CHAIN
        self.plan.chains.append(chain)
        return len(self.plan.chains) - 1
