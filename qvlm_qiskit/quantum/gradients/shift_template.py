r"""The circuit on which shift rules are applied: one free angle per parametrised gate angle.

Circuit parameters enter many gates, through expressions. So the circuit is rewritten once with a
free angle :math:`\theta_k` for every parametrised gate angle; what remains is the chain rule
:math:`\partial E/\partial p = \sum_k \partial E/\partial\theta_k \; \partial\theta_k/\partial p`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from qiskit.circuit import ControlFlowOp, Parameter, ParameterExpression, QuantumCircuit

from qvlm_qiskit.basics.late_definitions import is_late
from qvlm_qiskit.basics.parameter_expressions import is_free
from qvlm_qiskit.quantum.gradients.hidden_parameters import has_parameters, with_visible_parameters
from qvlm_qiskit.quantum.gradients.shift_rules import RULES, ShiftRule
from qvlm_qiskit.quantum.program.angles import AngleTable, ParameterIndex
from qvlm_qiskit.quantum.program.definitions import definition_of

SlotIndex = int
"""Index of a free angle of the template."""


@dataclass
class ShiftTemplate:
    """A circuit with one free angle per parametrised gate angle, and the way back.

    Attributes:
        circuit: The template: the source's own gates where a rule is known for them, otherwise
            the gates of their definitions; no gate hides its parameters.
        slots: The free angles.
        angles: One row per slot: its angle as a function of the source's parameters.
        pairs: Every (slot, parameter) on which a slot's angle depends.
        rules: How a slot is differentiated; None where no rule is known.
        owners: The name of the gate that a slot belongs to.
    """

    circuit: QuantumCircuit
    angles: AngleTable
    slots: list[Parameter] = field(default_factory=list)
    pairs: list[tuple[SlotIndex, ParameterIndex]] = field(default_factory=list)
    rules: list[ShiftRule | None] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)


def build_template(circuit: QuantumCircuit) -> ShiftTemplate:
    """Rewrite a circuit with one free angle per parametrised gate angle.

    Gates without parameters are kept as they are. A gate with parameters is kept if it is one of
    Qiskit's standard gates in :data:`RULES`; any other is replaced by its definition, again and
    again until one of the two holds. A parametrised instruction without definition (a delay) is
    kept too: only asking for its derivative raises.

    Raises:
        CircuitError: Loops with parameters inside, or an angle that is not a real,
            differentiable function of its parameters.
    """
    target = _empty(circuit)
    size = circuit.num_parameters
    template = ShiftTemplate(target, AngleTable(size))
    index_of = {parameter: i for i, parameter in enumerate(circuit.parameters)}
    _extend(template, circuit, circuit.qubits, circuit.clbits, index_of)
    template.circuit = with_visible_parameters(template.circuit)
    return template


def _extend(
    template: ShiftTemplate,
    circuit: QuantumCircuit,
    qubits: Sequence[Any],
    clbits: Sequence[Any],
    index_of: dict[Parameter, ParameterIndex],
) -> None:
    """Append a circuit's instructions to the template, on the template's bits given in order."""
    place = dict(zip([*circuit.qubits, *circuit.clbits], [*qubits, *clbits], strict=True))
    for instruction in circuit.data:
        operation = instruction.operation
        moved = instruction.replace(
            qubits=[place[bit] for bit in instruction.qubits],
            clbits=[place[bit] for bit in instruction.clbits],
        )
        if not has_parameters(operation):
            template.circuit.append(moved)
            continue
        if isinstance(operation, ControlFlowOp):
            blocks = [_freed_block(template, block, index_of) for block in operation.blocks]
            template.circuit.append(moved.replace(operation=operation.replace_blocks(blocks)))
            continue
        standard = operation.name in RULES and instruction.is_standard_gate()
        late = not standard and is_late(operation)
        definition = None if standard or late else definition_of(operation)
        if definition is None:
            rules = RULES[operation.name] if standard else (None,) * len(operation.params)
            # not replace(params=…), which keeps the old ones once .operation has been read
            freed = operation.copy()
            freed.params = _free(template, operation, rules, index_of)
            freed._definition = None  # noqa: SLF001  (made of the old ones, if it has been read)
            template.circuit.append(moved.replace(operation=freed))
        else:
            _extend(template, definition, moved.qubits, moved.clbits, index_of)


def _freed_block(
    template: ShiftTemplate, block: QuantumCircuit, index_of: dict[Parameter, ParameterIndex]
) -> QuantumCircuit:
    """A block of control flow with the template's free angles.

    An outcome decides whether it is run, so a value is still linear in what each gate does.
    """
    inner = replace(template, circuit=_empty(block))
    _extend(inner, block, block.qubits, block.clbits, index_of)
    return with_visible_parameters(inner.circuit)


def _empty(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit without instructions, and without a phase that has parameters."""
    empty = circuit.copy_empty_like()
    if isinstance(empty.global_phase, ParameterExpression):
        empty.global_phase = 0.0  # no expectation value depends on it
    return empty


def _free(
    template: ShiftTemplate,
    operation: Any,
    rules: Sequence[ShiftRule | None],
    index_of: dict[Parameter, ParameterIndex],
) -> list[Any]:
    """The operation's parameters with a new slot in place of every expression."""
    params = []
    for value, rule in zip(operation.params, rules, strict=True):
        if not is_free(value):
            params.append(value)
            continue
        number = len(template.slots)
        # padded, so that Qiskit's alphabetical order is the order of the slots
        template.slots.append(Parameter(f"angle_{number:07d}"))
        template.rules.append(rule)
        template.owners.append(operation.name)
        _add_angle(template, value, number, index_of)
        params.append(template.slots[-1])
    return params


def _add_angle(
    template: ShiftTemplate,
    value: ParameterExpression,
    number: SlotIndex,
    index_of: dict[Parameter, ParameterIndex],
) -> None:
    row = template.angles.add(value, 1.0, index_of)
    template.pairs += [(number, p) for p in sorted(template.angles.depends_on(row))]
