"""The exact engine of a circuit: as a whole, or as the light cones of its observables."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.basics.computer.memory import state_qubits
from qvlm_qiskit.quantum.program.angles import AngleTable
from qvlm_qiskit.quantum.program.cones import Cone, are_worth_it, cones_of, joint
from qvlm_qiskit.quantum.program.hamiltonian_evolutions import Evolution
from qvlm_qiskit.quantum.program.light_cone import moved
from qvlm_qiskit.quantum.program.operations import (
    AmplitudeLoad,
    FixedUnitary,
    Operation,
    PauliRotation,
)
from qvlm_qiskit.quantum.program.program import Program, check_state_qubits, compile_circuit
from qvlm_qiskit.quantum.split import Letters, Slots, SplitEngine, parts_of
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
    parts = parts_of(cones, _Cones(program, active), num_batched)
    return SplitEngine(program.angles, num_batched, offsets, parts)


def _stay_whole(cones: Sequence[Cone]) -> bool:
    """Whether one state of all cones' qubits is small, or not much more work than theirs."""
    whole = joint(cones)
    width = len(whole.qubits)
    far_cheaper = are_worth_it(map(_work, cones), _work(whole))
    return width <= WHOLE_QUBITS or (width <= state_qubits() and not far_cheaper)


def _work(cone: Cone) -> int:
    return len(cone.operations) << len(cone.qubits)


def _check_widths(cones: Sequence[Cone], terms: Sequence[Term]) -> None:
    """Refuse a cone that no statevector holds.

    Raises:
        CapacityError: There is one; it names the widest.
    """
    if cones:
        cone = max(cones, key=lambda cone: len(cone.qubits))
        column = terms[cone.strings[0]].column
        check_state_qubits(len(cone.qubits), f"the light cone of observable {column}")


@dataclass(frozen=True)
class _Cones:
    """What is in the cones of a program; see `Splitting`."""

    program: Program
    terms: Sequence[Term]

    @property
    def table(self) -> AngleTable:
        return self.program.angles

    def kind(self, cone: Cone) -> Hashable:
        return len(cone.qubits), tuple(map(_kind, self._operations(cone)))

    def rows(self, cone: Cone) -> list[int]:
        operations = self._operations(cone)
        return [each.angle for each in operations if isinstance(each, PauliRotation)]

    def readings(self, cone: Cone) -> Iterator[tuple[Letters, int, float]]:
        for term in (self.terms[index] for index in cone.strings):
            letters = sorted((p, cone.qubits.index(q)) for p, q in _pauli(term.x, term.z))
            yield tuple(letters), term.column, term.coefficient

    def plan(
        self, cone: Cone, slots: Slots, observables: Sequence[SparsePauliOp]
    ) -> StatevectorEngine:
        table, rows = slots.table()
        width = len(cone.qubits)
        operations = [
            replace(each, angle=next(rows)) if isinstance(each, PauliRotation) else each
            for each in self._operations(cone)
        ]
        template = Program(width, width, tuple(range(width)), operations, table)
        return StatevectorEngine(template, observables, len(slots.own))

    def row_bytes(self, cone: Cone) -> int:
        return 2 << len(cone.qubits)

    def _operations(self, cone: Cone) -> list[Operation]:
        """A cone's operations on its own numbers of qubits."""
        place = {qubit: label for label, qubit in enumerate(cone.qubits)}
        return [moved(self.program.operations[index], place) for index in cone.operations]


def _kind(operation: Operation) -> Hashable:
    """What an operation is but for its angle."""
    if isinstance(operation, PauliRotation):
        return operation.x, operation.z
    assert isinstance(operation, FixedUnitary)
    return operation.qubits, operation.matrix.tobytes()


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
