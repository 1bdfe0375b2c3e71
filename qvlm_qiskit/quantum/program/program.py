r"""Circuit → tensor program: Pauli rotations, fixed unitaries, evolutions and amplitude loads.

Every parametrised standard gate is, up to a global phase that no expectation value sees, a product
of Pauli rotations :math:`e^{-i\phi P/2}` whose angles are expressions of the circuit's parameters;
everything without parameters is a fixed matrix. So a circuit needs these two kinds of operations,
loads of initial states and exponentials of whole Hamiltonians only, and its angles are one affine
map of the parameters (other expressions are evaluated one by one).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
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

from qvlm_qiskit.basics.deferral import NOTHING, Controls, deferred, is_dynamic
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
MAX_CONDITIONED_QUBITS = 10
"""Of a matrix and of the bits that decide on it: a million numbers."""

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


def shares_of(controls: Controls) -> Iterator[tuple[float, int]]:
    """What a rotation about P becomes under controls: rotations about P·Z…Z, all of which commute.

    Yields:
        The share of its angle, and the mask of the Zs; without controls, all of it and none.
    """
    for chosen in product((False, True), repeat=len(controls)):
        taken = [control for control, take in zip(controls, chosen, strict=True) if take]
        sign = (-1) ** sum(value for _, value in taken)
        yield sign / 2 ** len(controls), sum(1 << qubit for qubit, _ in taken)


def controlled_unitary(operation: FixedUnitary, controls: Controls) -> FixedUnitary:
    """A matrix that acts where the controls have their values.

    Raises:
        CircuitError: There are too many of them.
    """
    if not controls:
        return operation
    size, width = len(operation.matrix), len(operation.qubits) + len(controls)
    if width > MAX_CONDITIONED_QUBITS:
        raise CircuitError(
            f"a gate on {len(operation.qubits)} qubits is decided by {len(controls)} measured bits:"
            f" together at most {MAX_CONDITIONED_QUBITS}"
        )
    matrix = np.eye(size << len(controls), dtype=np.complex128)
    first = size * sum(value << place for place, (_, value) in enumerate(controls))
    matrix[first : first + size, first : first + size] = operation.matrix
    return FixedUnitary((*operation.qubits, *(qubit for qubit, _ in controls)), matrix)


@dataclass
class Program:
    """A circuit as operations on its active qubits.

    Attributes:
        num_qubits: Active qubits: those that an instruction acts on.
        width: Qubits of the circuit.
        active: The circuit's index of each active qubit, ascending.
        operations: In order of application.
        angles: The gate angles as functions of the parameters.
        measured: Qubits, by their index in the circuit, that are measured in its middle: X and Y on
            them are 0 at its end. What is beyond the circuit's width holds measured bits and what
            resets have taken away.
        phases: Rows of ``angles`` whose sum is the global phase that the operations leave out;
            empty unless it was asked for.
    """

    num_qubits: int
    width: int
    active: tuple[QubitIndex, ...]
    operations: list[Operation]
    angles: AngleTable
    measured: frozenset[QubitIndex] = frozenset()
    phases: tuple[int, ...] = ()

    def require_state(self) -> None:
        """Refuse a circuit that doesn't end in one state.

        Raises:
            CircuitError: It measures or resets.
        """
        if self.measured:
            raise CircuitError(
                "a circuit that measures or resets ends in a mixture, not in one state: ask for "
                "expectation values"
            )

    def vanishes(self, paulis: Iterable[tuple[str, QubitIndex]]) -> bool:
        """Whether the mean of a Pauli string is 0 by itself.

        An idle qubit stays in |0⟩, and one that was measured holds a bit: ⟨X⟩ = ⟨Y⟩ = 0.

        Args:
            paulis: Letters and the circuit's qubits.
        """
        turned = {qubit for letter, qubit in paulis if letter in "XY"}
        return bool(turned) and not turned <= set(self.active) - self.measured


def compile_circuit(
    circuit: QuantumCircuit, parameters: Sequence[Any] | None = None, with_phase: bool = False
) -> Program:
    """Translate a circuit into a :class:`Program`, once, without binding any value.

    Of any width: whether a state fits is asked by those that make one.

    Args:
        circuit: Gates, measurements, resets and what is decided by measured bits; barriers, delays
            and a final layout are allowed.
        parameters: Order of the parameter vector, by default ``circuit.parameters``.
        with_phase: Keep the global phase too, which states have and expectation values don't.

    Raises:
        CircuitError: An instruction that is not unitary and can't be put at the circuit's end, or
            a parametrised one without a definition; the message names it.
    """
    order = list(circuit.parameters if parameters is None else parameters)
    unknown = set(circuit.parameters) - set(order)
    if unknown:
        names = ", ".join(sorted(p.name for p in unknown))
        raise CircuitError(f"circuit parameters without a value: {names}")
    circuit = without_idle_resets(circuit)
    index = {bit: i for i, bit in enumerate(circuit.qubits)}
    dynamic = deferred(circuit) if is_dynamic(circuit) else None
    if dynamic is None:
        acting = {
            index[q]
            for instruction in circuit.data
            if instruction.operation.name not in NOTHING
            for q in instruction.qubits
        }
    else:
        acting = {q for step in dynamic.steps for q in (*step.qubits, *dict(step.controls))}
    active = sorted(acting)
    builder = ProgramBuilder(
        AngleTable(len(order)), {p: i for i, p in enumerate(order)}, len(active), []
    )
    builder.phases = [] if with_phase else None
    position = {q: i for i, q in enumerate(active)}
    if dynamic is None:
        builder.extend(circuit, [position.get(i, -1) for i in range(circuit.num_qubits)])
    for step in () if dynamic is None else dynamic.steps:
        builder.controls = tuple((position[q], value) for q, value in step.controls)
        builder.append(step.operation, tuple(position[q] for q in step.qubits))
    measured = frozenset() if dynamic is None else dynamic.measured
    return Program(
        len(active),
        circuit.num_qubits,
        tuple(active),
        builder.operations,
        builder.angles,
        measured,
        tuple(builder.phases or ()),
    )


def check_state_qubits(count: int, what: str = "the circuit") -> None:
    """Refuse what a statevector can't hold.

    Args:
        count: How many qubits.
        what: What acts on them, for the message.

    Raises:
        CapacityError: More qubits than fit into this machine's memory.
    """
    if count > state_qubits():
        raise CapacityError(
            f"{what} acts on {count} qubits; a statevector of at most {state_qubits()} qubits can "
            "be worked on in this machine's memory. Use open_backend('aer', "
            "method='matrix_product_state'), or hardware"
        )


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
        "gates are accepted, and measurements, resets and conditions that can be deferred"
    )


def _culprit(operation: Any) -> Any:
    """What uses classical bits inside an instruction that is only a name for a circuit."""
    if type(operation) is Instruction:
        for instruction in getattr(operation.definition, "data", ()):
            if instruction.clbits:
                return _culprit(instruction.operation)
    return operation
