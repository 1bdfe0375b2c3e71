"""Instruction after instruction → operations: gates as products of Pauli rotations, or a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from qiskit.circuit import Gate, Parameter, ParameterExpression, QuantumCircuit
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import Operator

from qvlm_qiskit.basics.deferral import NOTHING, Controls
from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.quantum.encoding import AmplitudeEncoding
from qvlm_qiskit.quantum.evolution import HamiltonianEvolution
from qvlm_qiskit.quantum.program.angles import AngleTable, ParameterIndex
from qvlm_qiskit.quantum.program.definitions import culprit, definition_of, not_unitary
from qvlm_qiskit.quantum.program.evolutions import commuting_rotations
from qvlm_qiskit.quantum.program.hamiltonian_evolutions import Evolution, Hamiltonians
from qvlm_qiskit.quantum.program.operations import (
    AmplitudeLoad,
    FixedUnitary,
    Operation,
    PauliRotation,
    QubitIndex,
    controlled_unitary,
    shares_of,
)

MAX_DENSE_QUBITS = 6
"""A fixed gate on more qubits is taken apart by its definition instead of becoming a matrix."""

# Gates as products of Pauli rotations, in order of application: (Pauli by gate qubit, parameter
# index or None for a constant, factor or constant). "ZX" puts Z on gate qubit 0, X on qubit 1.
_HALF_PI = np.pi / 2
_ROTATIONS: dict[str, list[tuple[str, int | None, float]]] = {
    "rx": [("X", 0, 1)],
    "ry": [("Y", 0, 1)],
    "rz": [("Z", 0, 1)],
    "p": [("Z", 0, 1)],
    "u1": [("Z", 0, 1)],
    "rxx": [("XX", 0, 1)],
    "ryy": [("YY", 0, 1)],
    "rzz": [("ZZ", 0, 1)],
    "rzx": [("ZX", 0, 1)],
    "u": [("Z", 2, 1), ("Y", 0, 1), ("Z", 1, 1)],
    "u3": [("Z", 2, 1), ("Y", 0, 1), ("Z", 1, 1)],
    "u2": [("Z", 1, 1), ("Y", None, _HALF_PI), ("Z", 0, 1)],
    "r": [("Z", 1, -1), ("X", 0, 1), ("Z", 1, 1)],
    "crx": [("IX", 0, 0.5), ("ZX", 0, -0.5)],
    "cry": [("IY", 0, 0.5), ("ZY", 0, -0.5)],
    "crz": [("IZ", 0, 0.5), ("ZZ", 0, -0.5)],
    "cp": [("ZI", 0, 0.5), ("IZ", 0, 0.5), ("ZZ", 0, -0.5)],
    "cu1": [("ZI", 0, 0.5), ("IZ", 0, 0.5), ("ZZ", 0, -0.5)],
}
# What those products leave out, as (parameter index, factor): a phase gate is a Z rotation times
# a global phase of half its angle.
_PHASES: dict[str, list[tuple[int, float]]] = {
    "p": [(0, 0.5)],
    "u1": [(0, 0.5)],
    "u": [(1, 0.5), (2, 0.5)],
    "u3": [(1, 0.5), (2, 0.5)],
    "u2": [(0, 0.5), (1, 0.5)],
    "cp": [(0, 0.25)],
    "cu1": [(0, 0.25)],
}


@dataclass
class ProgramBuilder:
    """Appends instructions to a list of operations; angles go into the table."""

    angles: AngleTable
    index_of: dict[Any, ParameterIndex]
    num_qubits: int
    operations: list[Operation]
    controls: Controls = ()
    """Active qubits, and the values that they must have for what is appended."""
    phases: list[int] | None = None
    """Rows that add up to the global phase; None: it is not kept."""
    hamiltonians: Hamiltonians = field(default_factory=Hamiltonians)

    def extend(self, circuit: QuantumCircuit, position: Sequence[int]) -> None:
        """Append a circuit's instructions; ``position`` maps its qubits to active qubits."""
        self._add_phase(circuit.global_phase, 1.0)
        local = {bit: i for i, bit in enumerate(circuit.qubits)}
        for instruction in circuit.data:
            if instruction.operation.name in NOTHING:
                continue
            if instruction.clbits:
                raise not_unitary(culprit(instruction.operation))
            self.append(
                instruction.operation, tuple(position[local[q]] for q in instruction.qubits)
            )

    def append(self, operation: Any, qubits: tuple[QubitIndex, ...]) -> None:
        """Append an instruction on active qubits.

        Raises:
            CircuitError: It is not unitary.
        """
        if not isinstance(operation, Gate) and not hasattr(operation, "to_matrix"):
            self._append_definition(operation, qubits)
        elif self._is_initial_load(operation, qubits):
            self.operations.append(self._load(operation.params))
        elif isinstance(operation, HamiltonianEvolution) and operation.steps is None:
            self.operations.append(self._evolution(operation, qubits))
        elif operation.name in _ROTATIONS and _is_standard(operation):
            self._append_rotations(operation, qubits)
        elif (rotations := commuting_rotations(operation)) is not None:
            for letters, places, angle in rotations:
                if letters:
                    self._append_rotation(letters, [qubits[q] for q in places], angle, 1.0)
                else:
                    self._add_phase(angle, -0.5)
        elif (
            _has_parameters(operation)
            or len(qubits) > MAX_DENSE_QUBITS
            # what hardware runs is the gate's synthesis, not the exact exponential; a gate that
            # is only a name for a circuit may hold one
            or isinstance(operation, PauliEvolutionGate)
            or not (_is_standard(operation) or hasattr(operation, "__array__"))
        ):
            self._append_definition(operation, qubits)
        else:
            matrix = np.asarray(Operator(operation).data, dtype=np.complex128)
            self.operations.append(controlled_unitary(FixedUnitary(qubits, matrix), self.controls))

    def _load(self, values: Sequence[Any]) -> AmplitudeLoad:
        if all(isinstance(value, Parameter) for value in values):
            return AmplitudeLoad(parameters=tuple(self.index_of[value] for value in values))
        rows = tuple(self.angles.add(value, 1.0, self.index_of) for value in values)
        return AmplitudeLoad(angles=rows)

    def _evolution(
        self, gate: HamiltonianEvolution, qubits: tuple[QubitIndex, ...]
    ) -> FixedUnitary | Evolution:
        """An evolution, or its matrix where all is numbers.

        Raises:
            CircuitError: It has parameters, and measured bits decide whether it happens.
        """
        if gate.is_bound:
            return controlled_unitary(FixedUnitary(qubits, gate.unitary()), self.controls)
        if self.controls:
            raise CircuitError(
                "a HamiltonianEvolution with parameters can't be decided by measured bits: give "
                "its entries and time as numbers"
            )
        # the engine leaves the identity's part of H out
        self._add_phase(-1 * gate.time * gate.form.mean_level(gate.values), 1.0)
        return self.hamiltonians.evolution(gate, qubits, self.angles, self.index_of)

    def _is_initial_load(self, operation: Any, qubits: tuple[QubitIndex, ...]) -> bool:
        return (
            isinstance(operation, AmplitudeEncoding)
            and not self.operations
            and not self.controls
            and qubits == tuple(range(self.num_qubits))
        )

    def _append_rotations(self, operation: Any, qubits: tuple[QubitIndex, ...]) -> None:
        for letters, parameter, factor in _ROTATIONS[operation.name]:
            if parameter is None:
                self._append_rotation(letters, qubits, factor, 1.0)
            else:
                self._append_rotation(letters, qubits, operation.params[parameter], factor)
        for parameter, factor in _PHASES.get(operation.name, ()):
            self._add_phase(operation.params[parameter], factor)

    def _append_rotation(
        self, letters: str, qubits: Sequence[QubitIndex], angle: Any, factor: float
    ) -> None:
        """Append exp(-i·factor·angle/2·P), where the controls say so; letters by qubit."""
        pairs = list(zip(qubits, letters, strict=True))
        x = sum(1 << q for q, p in pairs if p in "XY")
        z = sum(1 << q for q, p in pairs if p in "ZY")
        for share, mask in shares_of(self.controls):
            row = self.angles.add(angle, factor * share, self.index_of)
            self.operations.append(PauliRotation(x, z | mask, row))

    def _add_phase(self, value: Any, factor: float) -> None:
        if self.phases is not None:
            self.phases.append(self.angles.add(value, factor, self.index_of))

    def _append_definition(self, operation: Any, qubits: tuple[QubitIndex, ...]) -> None:
        definition = definition_of(operation)
        if definition is None and hasattr(operation, "to_circuit"):
            definition = operation.to_circuit()  # a Clifford, for example
        if definition is None and isinstance(operation, Gate):
            raise CircuitError(
                f"gate {operation.name!r} has no definition to run, nor a matrix without parameters"
            )
        if definition is None:
            raise not_unitary(operation)
        self.extend(definition, qubits)


def _is_standard(operation: Any) -> bool:
    """Whether the gate is Qiskit's own of that name rather than somebody's namesake."""
    home = getattr(operation, "base_class", type(operation)).__module__ or ""
    return home.startswith("qiskit.circuit.library.standard_gates")


def _has_parameters(operation: Any) -> bool:
    return any(
        isinstance(p, ParameterExpression) and p.parameters
        for p in getattr(operation, "params", ())
    )
