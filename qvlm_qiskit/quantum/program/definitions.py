"""What an instruction stands for: its definition, modifiers carried out, and what has none."""

from __future__ import annotations

from typing import Any

from qiskit.circuit import (
    AnnotatedOperation,
    ControlModifier,
    Instruction,
    InverseModifier,
    PowerModifier,
    QuantumCircuit,
)
from qiskit.exceptions import QiskitError

from qvlm_qiskit.errors import CircuitError


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


def not_unitary(operation: Any) -> CircuitError:
    """What is raised for an instruction that no state can go through."""
    return CircuitError(
        f"instruction {operation.name!r} can't be run exactly on a statevector: only unitary "
        "gates are accepted, and measurements, resets and conditions that can be deferred"
    )


def culprit(operation: Any) -> Any:
    """What uses classical bits inside an instruction that is only a name for a circuit."""
    if type(operation) is Instruction:
        for instruction in getattr(operation.definition, "data", ()):
            if instruction.clbits:
                return culprit(instruction.operation)
    return operation
