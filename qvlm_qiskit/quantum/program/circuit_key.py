"""What a circuit does, as a key of caches: circuits may be changed in place, keys may not."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from qiskit.circuit import ControlFlowOp, ParameterExpression, QuantumCircuit

from qvlm_qiskit.basics.conditions import condition_key
from qvlm_qiskit.basics.late_definitions import is_late
from qvlm_qiskit.quantum.encoding import AmplitudeEncoding
from qvlm_qiskit.quantum.evolution import HamiltonianEvolution
from qvlm_qiskit.quantum.program.definitions import definition_of


def circuit_key(circuit: QuantumCircuit, with_phase: bool = False) -> Hashable:
    """Equal for circuits with the same instructions, numbers to the last bit, and parameters.

    Names, metadata and layout don't count.

    Args:
        circuit: Any circuit.
        with_phase: Whether global phases count, those of definitions too.

    Raises:
        CircuitError: A gate's definition can't be made without values for its parameters.
    """
    index = {bit: i for i, bit in enumerate([*circuit.qubits, *circuit.clbits])}
    key = (
        circuit.num_qubits,
        tuple(
            (
                _content(item, index, with_phase),
                tuple(index[bit] for bit in (*item.qubits, *item.clbits)),
            )
            for item in circuit.data
        ),
    )
    return (*key, _number(circuit.global_phase)) if with_phase else key


def _content(item: Any, index: Mapping[Any, int], with_phase: bool) -> Hashable:
    """A standard gate's name and angles; of any other gate, also its matrix or its definition."""
    if item.is_standard_gate():
        return item.name, tuple(_number(value) for value in item.params)
    operation = item.operation
    if isinstance(operation, ControlFlowOp):
        blocks = tuple(circuit_key(block, with_phase) for block in operation.blocks)
        return operation.name, condition_key(operation, index), blocks
    given = getattr(operation, "params", ())
    numbers = tuple(_number(value) for value in given)
    symbolic = any(isinstance(value, ParameterExpression) for value in given)
    kind = type(operation), numbers, getattr(operation, "unit", None)
    if isinstance(operation, AmplitudeEncoding):
        return kind  # its angles say everything, and its definition has 2ⁿ gates
    if isinstance(operation, HamiltonianEvolution):
        return kind, operation.form, operation.steps
    if hasattr(operation, "__array__") and not symbolic:
        return kind, np.asarray(operation).tobytes()
    if is_late(operation):
        return kind, operation.name
    definition = definition_of(operation)
    return kind, operation.name if definition is None else circuit_key(definition, with_phase)


def _number(value: Any) -> Hashable:
    """Expressions by their operations: Qiskit's == lets their numbers differ by 1e-16."""
    if isinstance(value, ParameterExpression):
        steps = value._qpy_replay  # noqa: SLF001  (all that Qiskit says of an expression's inside)
        made = tuple((str(step.op), step.lhs, step.rhs) for step in steps)
        alone = None if value.parameters else value.numeric(strict=False)
        return made, frozenset(value.parameters), alone
    if isinstance(value, np.ndarray):
        return value.tobytes()
    # what can't be compared is equal to nothing
    return value if isinstance(value, Hashable) else object()
