r"""Circuit → tensor program: Pauli rotations, fixed unitaries, evolutions and amplitude loads.

Every parametrised standard gate is, up to a global phase that no expectation value sees, a product
of Pauli rotations :math:`e^{-i\phi P/2}` whose angles are expressions of the circuit's parameters;
everything without parameters is a fixed matrix. So a circuit needs these two kinds of operations,
loads of initial states and exponentials of whole Hamiltonians only, and its angles are one affine
map of the parameters (other expressions are evaluated one by one).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit.circuit import (
    AnnotatedOperation,
    ControlModifier,
    Gate,
    Instruction,
    InverseModifier,
    Parameter,
    ParameterExpression,
    PowerModifier,
    QuantumCircuit,
)
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Operator

from qvlm_qiskit.basics.late_definitions import without_idle_resets
from qvlm_qiskit.basics.memory import state_qubits
from qvlm_qiskit.errors import CapacityError, CircuitError
from qvlm_qiskit.quantum.encoding import AmplitudeEncoding
from qvlm_qiskit.quantum.evolution import HamiltonianEvolution
from qvlm_qiskit.quantum.program.angles import AngleTable, ParameterIndex
from qvlm_qiskit.quantum.program.evolutions import commuting_rotations
from qvlm_qiskit.quantum.program.hamiltonian_evolutions import Evolution, Hamiltonians

MAX_DENSE_QUBITS = 6
"""A fixed gate on more qubits is taken apart by its definition instead of becoming a matrix."""

QubitIndex = int
Matrix = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class PauliRotation:
    """exp(-i·angle/2·P) with P = i^|x∧z| X^x Z^z over qubit bit masks."""

    x: int
    z: int
    angle: int
    """Index into the program's angle table."""


@dataclass(frozen=True, eq=False)
class FixedUnitary:
    """A constant matrix on some qubits; the first qubit is the matrix's least significant."""

    qubits: tuple[QubitIndex, ...]
    matrix: Matrix


@dataclass(frozen=True)
class AmplitudeLoad:
    """The initial state, written from 2ⁿ - 1 gate angles.

    The angles are parameters themselves where ``parameters`` is given (4095 of them at 12 qubits:
    too many for rows of an affine map), otherwise entries of the angle table.
    """

    angles: tuple[int, ...] = ()
    parameters: tuple[ParameterIndex, ...] = ()


Operation = PauliRotation | FixedUnitary | AmplitudeLoad | Evolution


@dataclass
class Program:
    """A circuit as operations on its active qubits.

    Attributes:
        num_qubits: Active qubits: those that an instruction acts on.
        width: Qubits of the circuit.
        active: The circuit's index of each active qubit, ascending.
        operations: In order of application.
        angles: The gate angles as functions of the parameters.
    """

    num_qubits: int
    width: int
    active: tuple[QubitIndex, ...]
    operations: list[Operation]
    angles: AngleTable


def compile_circuit(circuit: QuantumCircuit, parameters: Sequence[Any] | None = None) -> Program:
    """Translate a circuit into a :class:`Program`, once, without binding any value.

    Args:
        circuit: Unitary circuit; barriers, delays and a final layout are allowed.
        parameters: Order of the parameter vector, by default ``circuit.parameters``.

    Raises:
        CircuitError: An instruction that is not unitary (measurement, reset, control flow), or a
            parametrised one without a definition; the message names it.
        CapacityError: More active qubits than a statevector can hold.
    """
    order = list(circuit.parameters if parameters is None else parameters)
    unknown = set(circuit.parameters) - set(order)
    if unknown:
        names = ", ".join(sorted(p.name for p in unknown))
        raise CircuitError(f"circuit parameters without a value: {names}")
    circuit = without_idle_resets(circuit)
    index = {bit: i for i, bit in enumerate(circuit.qubits)}
    active = sorted(
        {
            index[q]
            for instruction in circuit.data
            if instruction.operation.name not in _NOTHING
            for q in instruction.qubits
        }
    )
    if len(active) > state_qubits():
        raise CapacityError(
            f"the circuit acts on {len(active)} qubits; a statevector of at most {state_qubits()} "
            "qubits can be worked on in this machine's memory"
        )
    builder = ProgramBuilder(
        AngleTable(len(order)), {p: i for i, p in enumerate(order)}, len(active), []
    )
    position = {q: i for i, q in enumerate(active)}
    builder.extend(circuit, [position.get(i, -1) for i in range(circuit.num_qubits)])
    return Program(
        len(active), circuit.num_qubits, tuple(active), builder.operations, builder.angles
    )


_NOTHING = {"barrier", "delay", "id"}

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


@dataclass
class ProgramBuilder:
    """Appends instructions to a list of operations; angles go into the table."""

    angles: AngleTable
    index_of: dict[Any, ParameterIndex]
    num_qubits: int
    operations: list[Operation]
    hamiltonians: Hamiltonians = field(default_factory=Hamiltonians)

    def extend(self, circuit: QuantumCircuit, position: Sequence[int]) -> None:
        """Append a circuit's instructions; ``position`` maps its qubits to active qubits."""
        local = {bit: i for i, bit in enumerate(circuit.qubits)}
        for instruction in circuit.data:
            if instruction.operation.name in _NOTHING:
                continue
            if instruction.clbits:
                raise _not_unitary(_culprit(instruction.operation))
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
        elif isinstance(operation, HamiltonianEvolution):
            self.operations.append(self._evolution(operation, qubits))
        elif operation.name in _ROTATIONS and _is_standard(operation):
            self._append_rotations(operation, qubits)
        elif (rotations := commuting_rotations(operation)) is not None:
            for letters, places, angle in rotations:
                self._append_rotation(letters, [qubits[q] for q in places], angle, 1.0)
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
            self.operations.append(FixedUnitary(qubits, matrix))

    def _load(self, values: Sequence[Any]) -> AmplitudeLoad:
        if all(isinstance(value, Parameter) for value in values):
            return AmplitudeLoad(parameters=tuple(self.index_of[value] for value in values))
        rows = tuple(self.angles.add(value, 1.0, self.index_of) for value in values)
        return AmplitudeLoad(angles=rows)

    def _evolution(
        self, gate: HamiltonianEvolution, qubits: tuple[QubitIndex, ...]
    ) -> FixedUnitary | Evolution:
        if gate.is_bound:
            return FixedUnitary(qubits, gate.unitary())
        return self.hamiltonians.evolution(gate, qubits, self.angles, self.index_of)

    def _is_initial_load(self, operation: Any, qubits: tuple[QubitIndex, ...]) -> bool:
        return (
            isinstance(operation, AmplitudeEncoding)
            and not self.operations
            and qubits == tuple(range(self.num_qubits))
        )

    def _append_rotations(self, operation: Any, qubits: tuple[QubitIndex, ...]) -> None:
        for letters, parameter, factor in _ROTATIONS[operation.name]:
            if parameter is None:
                self._append_rotation(letters, qubits, factor, 1.0)
            else:
                self._append_rotation(letters, qubits, operation.params[parameter], factor)

    def _append_rotation(
        self, letters: str, qubits: Sequence[QubitIndex], angle: Any, factor: float
    ) -> None:
        """Append exp(-i·factor·angle/2·P); the first letter is on the first qubit."""
        pairs = list(zip(qubits, letters, strict=True))
        x = sum(1 << q for q, p in pairs if p in "XY")
        z = sum(1 << q for q, p in pairs if p in "ZY")
        row = self.angles.add(angle, factor, self.index_of)
        self.operations.append(PauliRotation(x, z, row))

    def _append_definition(self, operation: Any, qubits: tuple[QubitIndex, ...]) -> None:
        if operation.name in ("reset", "measure", "initialize"):
            raise _not_unitary(operation)
        definition = definition_of(operation)
        if definition is None and hasattr(operation, "to_circuit"):
            definition = operation.to_circuit()  # a Clifford, for example
        if definition is None and isinstance(operation, Gate):
            raise CircuitError(
                f"gate {operation.name!r} has no definition to run, nor a matrix without parameters"
            )
        if definition is None:
            raise _not_unitary(operation)
        self.extend(definition, qubits)


def definition_of(operation: Any) -> QuantumCircuit | None:
    """The circuit that an instruction stands for, None if it has none.

    Raises:
        CircuitError: Its definition can't be made without values for its parameters.
    """
    if isinstance(operation, AnnotatedOperation):
        return _modified(operation)
    try:
        definition: QuantumCircuit | None = getattr(operation, "definition", None)
    except (TypeError, QiskitError) as error:  # HamiltonianGate wants its time as a number
        raise CircuitError(f"gate {operation.name!r} needs numbers: {error}") from error
    return definition


def _modified(operation: AnnotatedOperation) -> QuantumCircuit:
    """The base gate with its modifiers carried out, the first one first.

    Raises:
        CircuitError: A modifier of something that has no inverse, power or controlled form.
    """
    gate = operation.base_op
    try:
        for modifier in operation.modifiers:
            if isinstance(modifier, InverseModifier):
                gate = gate.inverse()
            elif isinstance(modifier, PowerModifier):
                gate = gate.power(modifier.power)
            elif isinstance(modifier, ControlModifier):
                gate = gate.control(modifier.num_ctrl_qubits, ctrl_state=modifier.ctrl_state)
    except (AttributeError, QiskitError) as error:
        raise CircuitError(f"the modifiers of {operation.base_op.name!r} fail: {error}") from error
    circuit = QuantumCircuit(operation.num_qubits)
    circuit.append(gate, range(operation.num_qubits))
    return circuit


def _is_standard(operation: Any) -> bool:
    """Whether the gate is Qiskit's own of that name rather than somebody's namesake."""
    home = getattr(operation, "base_class", type(operation)).__module__ or ""
    return home.startswith("qiskit.circuit.library.standard_gates")


def _has_parameters(operation: Any) -> bool:
    return any(
        isinstance(p, ParameterExpression) and p.parameters
        for p in getattr(operation, "params", ())
    )


def _not_unitary(operation: Any) -> CircuitError:
    return CircuitError(
        f"instruction {operation.name!r} can't be run exactly on a statevector: only unitary "
        "gates are accepted (no measurement, reset or control flow)"
    )


def _culprit(operation: Any) -> Any:
    """What uses classical bits inside an instruction that is only a name for a circuit."""
    if type(operation) is Instruction:
        for instruction in getattr(operation.definition, "data", ()):
            if instruction.clbits:
                return _culprit(instruction.operation)
    return operation
