"""The exact engine of a circuit: as a whole, or as the light cones of its observables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Any

from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.basics.memory import state_qubits
from qvlm_qiskit.quantum.program.cones import Cone, are_worth_it, cones_of, joint, widest
from qvlm_qiskit.quantum.program.hamiltonian_evolutions import Evolution
from qvlm_qiskit.quantum.program.light_cone import moved
from qvlm_qiskit.quantum.program.program import (
    AmplitudeLoad,
    FixedUnitary,
    Operation,
    PauliRotation,
    Program,
    check_state_qubits,
    compile_circuit,
)
from qvlm_qiskit.quantum.split import Part, Reading, Slots, SplitEngine, string_of
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine, pauli_terms
from qvlm_qiskit.quantum.statevector.tensors.readout import Term

WHOLE_QUBITS = 12
"""Circuits of up to so many qubits are never split."""

_LETTERS = {(1, 0): "X", (1, 1): "Y", (0, 1): "Z"}


def exact_engine(
    circuit: QuantumCircuit,
    observables: Sequence[SparsePauliOp],
    parameters: Sequence[Any] | None,
    num_batched: int,
) -> StatevectorEngine | SplitEngine:
    """What computes exact values of a circuit, differentiably.

    A circuit is split into light cones where these are too wide together, or far cheaper apart.

    Args:
        circuit: Unitary.
        observables: On the circuit's qubits.
        parameters: The order of the parameters, by default ``circuit.parameters``.
        num_batched: How many leading parameters are given per sample.

    Raises:
        CircuitError: The circuit is not unitary, or an observable not Hermitian or of its width.
        CapacityError: One light cone alone has more qubits than a statevector can hold.
    """
    program = compile_circuit(circuit, parameters)
    # what loads amplitudes is one cone; evolutions share what is made of their Hamiltonians
    whole = any(isinstance(one, AmplitudeLoad | Evolution) for one in program.operations)
    if program.num_qubits <= WHOLE_QUBITS or whole:
        return StatevectorEngine(program, observables, num_batched)
    terms = pauli_terms(program, observables)
    active = [term for term in terms if term.x | term.z and term.coefficient]
    acts = [_ordered_qubits(operation) for operation in program.operations]
    cones = cones_of(acts, [_bits(term.x | term.z) for term in active])
    if cones and _stay_whole(cones):
        return StatevectorEngine(program, observables, num_batched)
    _check_widths(cones, active)
    offsets = [0.0] * len(observables)
    for term in terms:
        offsets[term.column] += 0.0 if term.x | term.z else term.coefficient
    parts = _parts(program, cones, active, num_batched)
    return SplitEngine(program.angles, num_batched, offsets, parts)


def _stay_whole(cones: Sequence[Cone]) -> bool:
    """Whether one state of all cones' qubits is small, or not much more work than theirs."""
    whole = joint(cones)
    width = len(whole.qubits)
    return width <= WHOLE_QUBITS or (width <= state_qubits() and not are_worth_it(cones, whole, 2))


def _check_widths(cones: Sequence[Cone], terms: Sequence[Term]) -> None:
    """Refuse a cone that no statevector holds.

    Raises:
        CapacityError: There is one; it names the widest.
    """
    if cones:
        cone = widest(cones)
        column = terms[cone.strings[0]].column
        check_state_qubits(len(cone.qubits), f"the light cone of observable {column}")


def _parts(
    program: Program, cones: Sequence[Cone], terms: Sequence[Term], num_batched: int
) -> list[Part]:
    """The cones, sorted by what their operations are but for their angles."""
    kinds: dict[Hashable, list[Cone]] = defaultdict(list)
    for cone in cones:
        place = {qubit: label for label, qubit in enumerate(cone.qubits)}
        operations = (moved(program.operations[index], place) for index in cone.operations)
        kinds[len(place), tuple(map(_kind, operations))].append(cone)
    return [_part(program, alike, terms, num_batched) for alike in kinds.values()]


def _kind(operation: Operation) -> Hashable:
    """What an operation is but for its angle."""
    if isinstance(operation, PauliRotation):
        return operation.x, operation.z
    assert isinstance(operation, FixedUnitary)
    return operation.qubits, operation.matrix.tobytes()


def _part(program: Program, cones: Sequence[Cone], terms: Sequence[Term], num_batched: int) -> Part:
    rows = [_rows(program, cone) for cone in cones]
    slots = Slots.of(program.angles, rows, num_batched)
    local, readings = _local_terms(cones, terms)
    width = len(cones[0].qubits)
    observables = [string_of(_pauli(x, z), width) for x, z in local]
    plan = StatevectorEngine(_template(program, cones[0], slots), observables, len(slots.own))
    return Part(plan, slots, rows, readings, row_bytes=2 << width)


def _rows(program: Program, cone: Cone) -> list[int]:
    """The rows of a cone's angles, in order of application."""
    operations = [program.operations[index] for index in cone.operations]
    return [each.angle for each in operations if isinstance(each, PauliRotation)]


def _template(program: Program, cone: Cone, slots: Slots) -> Program:
    """A cone with parameters for its angles."""
    place = {qubit: label for label, qubit in enumerate(cone.qubits)}
    table, row = slots.table()
    count = 0
    operations: list[Operation] = []
    for index in cone.operations:
        operation = moved(program.operations[index], place)
        if isinstance(operation, PauliRotation):
            operation = PauliRotation(operation.x, operation.z, row[count])
            count += 1
        operations.append(operation)
    width = len(place)
    return Program(width, width, tuple(range(width)), operations, table)


def _local_terms(
    cones: Sequence[Cone], terms: Sequence[Term]
) -> tuple[list[tuple[int, int]], list[Reading]]:
    """The strings of all cones by label, and what each cone's add to which observable."""
    strings: dict[tuple[int, int], int] = {}
    readings: list[Reading] = []
    for number, cone in enumerate(cones):
        place = {qubit: label for label, qubit in enumerate(cone.qubits)}
        for index in cone.strings:
            term = terms[index]
            x, z = (sum(1 << place[q] for q in _bits(mask)) for mask in (term.x, term.z))
            string = strings.setdefault((x, z), len(strings))
            readings.append((number, string, term.column, term.coefficient))
    return list(strings), readings


def _ordered_qubits(operation: Operation) -> list[int]:
    """The qubits that an operation acts on, in an order that tells their parts in it."""
    if isinstance(operation, PauliRotation):
        return [q for _, q in sorted(_pauli(operation.x, operation.z))]
    assert isinstance(operation, FixedUnitary)
    return list(operation.qubits)


def _pauli(x: int, z: int) -> list[tuple[str, int]]:
    """The letters of a Pauli string with their qubits."""
    return [(_LETTERS[x >> q & 1, z >> q & 1], q) for q in _bits(x | z)]


def _bits(mask: int) -> list[int]:
    """The bits that are set, ascending."""
    found = []
    while mask:
        found.append((mask & -mask).bit_length() - 1)
        mask &= mask - 1
    return found
