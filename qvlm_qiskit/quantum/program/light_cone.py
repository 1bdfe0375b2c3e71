"""Drop what no observable can see: operations outside the observables' joint light cone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.quantum.program.hamiltonian_evolutions import Evolution
from qvlm_qiskit.quantum.program.operations import (
    AmplitudeLoad,
    FixedUnitary,
    Operation,
    PauliRotation,
)
from qvlm_qiskit.quantum.program.program import Program


def light_cone(program: Program, observables: Sequence[SparsePauliOp]) -> Program:
    """The part of a program that the expectation values of some observables depend on.

    Read backwards, an operation that acts on no qubit of an observable, nor on a qubit that a later
    kept operation connects to one, cancels against its own inverse in ⟨ψ|O|ψ⟩. Qubits that nothing
    kept acts on are no longer active. Angles keep their rows; those of dropped rotations are not
    read any more, and their derivatives are zero.

    Args:
        program: Any program.
        observables: On the *circuit's* qubits.

    Returns:
        A program with the same values for these observables; the same object if nothing is dropped
        or no observable acts on an active qubit.
    """
    position = {qubit: i for i, qubit in enumerate(program.active)}
    seen = {
        position[qubit]
        for observable in observables
        for _, qubits, _ in observable.to_sparse_list()
        for qubit in qubits
        if qubit in position
    }
    if not seen:
        return program
    kept: list[Operation] = []
    for operation in reversed(program.operations):
        qubits = qubits_of(operation, program.num_qubits)
        if qubits & seen:
            seen |= qubits
            kept.append(operation)
    if len(kept) == len(program.operations):
        return program
    order = sorted(seen)
    place = {qubit: i for i, qubit in enumerate(order)}
    return replace(
        program,
        num_qubits=len(order),
        active=tuple(program.active[qubit] for qubit in order),
        operations=[moved(operation, place) for operation in reversed(kept)],
    )


def qubits_of(operation: Operation, num_qubits: int) -> set[int]:
    """The active qubits that an operation acts on."""
    if isinstance(operation, AmplitudeLoad):
        return set(range(num_qubits))
    if isinstance(operation, FixedUnitary | Evolution):
        return set(operation.qubits)
    return {q for q in range(num_qubits) if (operation.x | operation.z) >> q & 1}


def moved(operation: Operation, place: dict[int, int]) -> Operation:
    """The same operation with other numbers for its qubits; a load stays as it is."""
    if isinstance(operation, FixedUnitary):
        return FixedUnitary(tuple(place[q] for q in operation.qubits), operation.matrix)
    if isinstance(operation, Evolution):
        return replace(operation, qubits=tuple(place[q] for q in operation.qubits))
    if isinstance(operation, PauliRotation):
        x = sum(1 << new for old, new in place.items() if operation.x >> old & 1)
        z = sum(1 << new for old, new in place.items() if operation.z >> old & 1)
        return PauliRotation(x, z, operation.angle)
    return operation
