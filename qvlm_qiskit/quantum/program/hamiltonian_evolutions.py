"""Evolutions e^{-itH} of a program, and which of them have their H in common."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from qiskit.circuit import Parameter, ParameterExpression

from qvlm_qiskit.quantum.evolution import HamiltonianEvolution
from qvlm_qiskit.quantum.hamiltonian_forms import Form
from qvlm_qiskit.quantum.program.angles import AngleTable, ParameterIndex


@dataclass(frozen=True, eq=False)
class Hamiltonian:
    """One H, which any number of evolutions may share."""

    form: Form
    rows: tuple[int, ...]
    """Of the program's angle table: the numbers that H consists of."""


@dataclass(frozen=True, eq=False)
class Evolution:
    """e^{-itH} on some qubits; the first qubit is the matrix's least significant."""

    qubits: tuple[int, ...]
    hamiltonian: Hamiltonian
    time: int
    """Index into the program's angle table."""

    @property
    def rows(self) -> tuple[int, ...]:
        """All rows of the angle table that it reads."""
        return (*self.hamiltonian.rows, self.time)


@dataclass
class Hamiltonians:
    """Those of one program, each once."""

    known: dict[Hashable, Hamiltonian] = field(default_factory=dict)

    def evolution(
        self,
        gate: HamiltonianEvolution,
        qubits: tuple[int, ...],
        angles: AngleTable,
        index_of: dict[Any, ParameterIndex],
    ) -> Evolution:
        """The gate on active qubits, its numbers and its time as rows of the angle table."""
        key = gate.form, tuple(_content(value) for value in gate.values)
        if key not in self.known:
            rows = tuple(angles.add(value, 1.0, index_of) for value in gate.values)
            self.known[key] = Hamiltonian(gate.form, rows)
        return Evolution(qubits, self.known[key], angles.add(gate.time, 1.0, index_of))


def _content(value: Any) -> Hashable:
    """Equal for the same parameters, numbers and expressions only."""
    if isinstance(value, Parameter) or not isinstance(value, ParameterExpression):
        content: Hashable = value
        return content
    made = value._qpy_replay  # noqa: SLF001  (all that Qiskit says of an expression's inside)
    return tuple((str(step.op), step.lhs, step.rhs) for step in made)
