"""Circuits that measure in their middle, as circuits that any machine runs: on more qubits."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Instruction
from qiskit.circuit.library import UnitaryGate
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import SparseObservable

from qvlm_qiskit.basics.deferral import Step, deferred, stands_in_the_way


def deferred_circuit(circuit: QuantumCircuit) -> tuple[QuantumCircuit, frozenset[int]]:
    """What is measured, reset and decided in a circuit's middle, as controlled gates.

    Returns:
        A circuit without bits, whose first qubits are those of the given one; and which of these
        have lost their phase: X and Y on them are 0.

    Raises:
        CircuitError: Something can't be put at the circuit's end.
    """
    if _waits(circuit):
        raise stands_in_the_way("delay", "how long a qubit idles is another time on more qubits")
    found = deferred(circuit)
    acting = (q for step in found.steps for q in (*step.qubits, *dict(step.controls)))
    width = max([circuit.num_qubits, *(qubit + 1 for qubit in acting)])
    result = QuantumCircuit(width, name=circuit.name, metadata=circuit.metadata)
    for step in found.steps:
        controls = [qubit for qubit, _ in step.controls]
        result.append(_controlled(step), [*controls, *step.qubits], copy=False)
    return result, found.measured & frozenset(range(circuit.num_qubits))


def _waits(circuit: QuantumCircuit) -> bool:
    blocks = (block for item in circuit.data for block in getattr(item.operation, "blocks", ()))
    return "delay" in circuit.count_ops() or any(map(_waits, blocks))


def without_lost(observables: ObservablesArray, lost: Collection[int]) -> ObservablesArray:
    """Observables without the Pauli strings that read a phase which is lost.

    Args:
        observables: Of any shape.
        lost: Their qubits whose phase is lost.
    """
    if not lost:
        return observables
    kept = observables.sparse_observables_array(copy=True)
    for where, observable in enumerate(kept.ravel()):
        terms = [term for term in observable.as_paulis().to_sparse_list() if not _reads(term, lost)]
        # a sum of nothing is 0, of the identity
        kept.reshape(-1)[where] = SparseObservable.from_sparse_list(
            terms or [("", [], 0.0)], observable.num_qubits
        )
    return ObservablesArray(kept, num_qubits=observables.num_qubits, validate=False)


def _reads(term: tuple[str, list[int], complex], lost: Collection[int]) -> bool:
    letters, qubits, _ = term
    return any(p in "XY" and qubit in lost for p, qubit in zip(letters, qubits, strict=True))


def _controlled(step: Step) -> Any:
    """A step's operation, which its controls decide on."""
    if not step.controls:
        return step.operation
    gate = step.operation if isinstance(step.operation, Gate) else _as_gate(step.operation)
    values = sum(value << place for place, (_, value) in enumerate(step.controls))
    return gate.control(len(step.controls), ctrl_state=values, annotated=True)


def _as_gate(operation: Instruction) -> Gate:
    """An instruction that holds gates only."""
    if operation.definition is None:
        return UnitaryGate(operation.to_matrix())
    return operation.definition.to_gate()
