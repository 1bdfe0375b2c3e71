"""Whether an instruction has free parameters, and gates that have some and don't say so."""

from __future__ import annotations

from typing import Any

from qiskit.circuit import (
    BoxOp,
    ControlFlowOp,
    ControlledGate,
    IfElseOp,
    QuantumCircuit,
    SwitchCaseOp,
)

from qvlm_qiskit.basics.parameter_expressions import is_free
from qvlm_qiskit.errors import CircuitError


def with_visible_parameters(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit, with the definition in place of gates that hide their parameters.

    Up to Qiskit 2.6 ``is_parameterized()`` is False for controlled gates that keep their parameter
    in the base gate (crx, cry, crz, cp, cu1, cu3). Aer up to 0.18 believes it and runs such a gate
    with angle zero when values come as ``parameter_binds``, as its estimator passes them. A
    circuit without such gates is returned as it is.
    """
    if not any(_hides_parameters(instruction.operation) for instruction in circuit.data):
        return circuit
    target = circuit.copy_empty_like()
    for instruction in circuit.data:
        if _hides_parameters(instruction.operation):
            definition = instruction.operation.definition
            target.compose(definition, instruction.qubits, instruction.clbits, inplace=True)
        else:
            target.append(instruction)
    return with_visible_parameters(target)


def has_parameters(operation: Any) -> bool:
    """Whether an instruction, or a block of control flow in it, has free parameters.

    Raises:
        CircuitError: A loop with parameters inside.
    """
    if isinstance(operation, ControlFlowOp):
        parameterised = any(block.num_parameters for block in operation.blocks)
        if parameterised and not isinstance(operation, IfElseOp | SwitchCaseOp | BoxOp):
            raise CircuitError(
                f"parameters inside {operation.name!r} can't be differentiated: unroll the "
                "control flow, or use method='spsa'"
            )
        return parameterised
    return any(is_free(value) for value in getattr(operation, "params", ()))


def _hides_parameters(operation: Any) -> bool:
    return (
        isinstance(operation, ControlledGate)
        and has_parameters(operation)
        and not operation.is_parameterized()
        and operation.definition is not None
    )
