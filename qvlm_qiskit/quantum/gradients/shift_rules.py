r"""Parameter-shift rules, and the circuit on which they are applied: one free angle per gate.

An expectation value as a function of *one* gate angle is a trigonometric polynomial. If its
frequencies are :math:`\Omega, 2\Omega, \dots, R\Omega`, its derivative is a combination of
:math:`2R` of its own values (Mitarai et al., arXiv:1803.00745; Schuld et al., arXiv:1811.11184;
for R > 1 Wierichs et al., arXiv:2107.12390, eq. 15, whose case R = 2 is the four-term rule of
Anselmetti et al., arXiv:2104.05695):

.. math:: f'(x) = \sum_{\mu=1}^{R} c_\mu \, [f(x + s_\mu) - f(x - s_\mu)], \qquad
    s_\mu = \frac{(2\mu - 1)\pi}{2 R \Omega}, \quad
    c_\mu = \frac{(-1)^{\mu - 1} \, \Omega}{4 R \sin^2(s_\mu \Omega / 2)}.

Circuit parameters enter many gates, through expressions. So the circuit is rewritten once with a
free angle :math:`\theta_k` for every parametrised gate angle; what remains is the chain rule
:math:`\partial E/\partial p = \sum_k \partial E/\partial\theta_k \; \partial\theta_k/\partial p`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from qiskit.circuit import (
    BoxOp,
    ControlFlowOp,
    ControlledGate,
    IfElseOp,
    Parameter,
    ParameterExpression,
    QuantumCircuit,
    SwitchCaseOp,
)

from qvlm_qiskit.basics.late_definitions import is_late
from qvlm_qiskit.basics.parameter_expressions import is_free
from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.quantum.program.angles import AngleTable, ParameterIndex
from qvlm_qiskit.quantum.program.binding import AngleMap
from qvlm_qiskit.quantum.program.definitions import definition_of

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

SlotIndex = int
"""Index of a free angle of the template."""


@dataclass(frozen=True)
class ShiftRule:
    """f'(x) = Σ c_μ [f(x + s_μ) - f(x - s_μ)], exactly, for some class of f."""

    shifts: tuple[float, ...]
    coefficients: tuple[float, ...]


def equidistant_rule(num_frequencies: int, spacing: float) -> ShiftRule:
    """The rule for the frequencies ``spacing, 2·spacing, …, num_frequencies·spacing``.

    Args:
        num_frequencies: R of the module's formula.
        spacing: Ω of the module's formula, in 1/radian.
    """
    order = np.arange(1, num_frequencies + 1)
    shifts = (2 * order - 1) * np.pi / (2 * num_frequencies * spacing)
    weights = spacing / (4 * num_frequencies * np.sin(shifts * spacing / 2) ** 2)
    signs = (-1.0) ** (order - 1)
    return ShiftRule(tuple(shifts.tolist()), tuple((signs * weights).tolist()))


TWO_TERM = equidistant_rule(1, 1.0)
"""Generators with two eigenvalues at distance 1: Pauli rotations and all phase gates."""
FOUR_TERM = equidistant_rule(2, 0.5)
"""Controlled Pauli rotations: eigenvalues 0 and ±1/2."""
AXIS = equidistant_rule(2, 1.0)
"""The angle of a rotation's axis: it enters on both sides of the rotation."""

RULES: dict[str, tuple[ShiftRule, ...]] = {
    **dict.fromkeys(("rx", "ry", "rz", "p", "u1", "rxx", "ryy", "rzz", "rzx"), (TWO_TERM,)),
    # a controlled phase is a phase on |11⟩: two eigenvalues, whatever the number of controls
    **dict.fromkeys(("cp", "cu1"), (TWO_TERM,)),
    **dict.fromkeys(("crx", "cry", "crz"), (FOUR_TERM,)),
    "u": (TWO_TERM,) * 3,
    "u3": (TWO_TERM,) * 3,
    "u2": (TWO_TERM,) * 2,
    "r": (TWO_TERM, AXIS),
    "cu": (FOUR_TERM, TWO_TERM, TWO_TERM, TWO_TERM),
    "cu3": (FOUR_TERM, TWO_TERM, TWO_TERM),
}
"""One rule per parameter of a standard gate. Gates that are not listed go by their definition."""


@dataclass
class ShiftTemplate:
    """A circuit with one free angle per parametrised gate angle, and the way back.

    Attributes:
        circuit: The template: the source's own gates where a rule is known for them, otherwise
            the gates of their definitions; see also :func:`with_visible_parameters`.
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


@dataclass(frozen=True)
class ShiftRows:
    """What has to be evaluated for a set of parameter vectors, and what to make of it.

    Attributes:
        angles: ``(n_rows, n_slots)`` values of the template's slots: first all +, then all -.
        source: Of every +/- pair, the row of the distinct angle vectors that was shifted.
        slot: Of every pair, the shifted slot.
        coefficient: Of every pair, its factor c.
        copies: Of every parameter vector, its row among the distinct angle vectors.
        slopes: ``(n_vectors, n_pairs)``; zero where nobody asked for the parameter.
    """

    angles: Array
    source: Indices
    slot: Indices
    coefficient: Array
    copies: Indices
    slopes: Array


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


def plan_rows(template: ShiftTemplate, values: Array, wanted: Mask) -> ShiftRows:
    """The template rows that the wanted derivatives need, each once.

    A slot is shifted for a parameter vector only if it depends, with a slope that is not zero
    there, on a wanted parameter: 2R rows per slot (R = 1, or 2 for :data:`FOUR_TERM` and
    :data:`AXIS`).

    Args:
        template: From :func:`build_template`.
        values: ``(n_vectors, n_parameters)`` in the order of the source's parameters.
        wanted: Same shape: which derivatives are needed.

    Raises:
        CircuitError: A needed slot has no rule.
    """
    slots, parameters = _columns(template.pairs)
    found, derivatives = angles_and_slopes(template, values)
    angles, copies = distinct_rows(found)
    slopes = np.where(wanted[:, parameters], derivatives, 0.0)
    shifted = np.zeros(angles.shape, dtype=bool)
    vector, pair = np.nonzero(slopes)
    shifted[copies[vector], slots[pair]] = True
    _require_rules(template, shifted)
    terms = list(_terms(template.rules))
    term_slot = np.array([slot for slot, _, _ in terms], dtype=np.intp)
    source, term = np.nonzero(shifted[:, term_slot])
    slot = term_slot[term]
    offsets = np.array([shift for _, shift, _ in terms])[term]
    rows = np.concatenate([angles[source]] * 2)
    half = len(source)
    rows[np.arange(half), slot] += offsets
    rows[half + np.arange(half), slot] -= offsets
    factors = np.array([factor for _, _, factor in terms])[term]
    return ShiftRows(rows, source, slot, factors, copies, slopes)


def jacobian(template: ShiftTemplate, plan: ShiftRows, evs: Array) -> Array:
    """Turn the values of the planned rows into derivatives by the source's parameters.

    Args:
        template: From :func:`build_template`.
        plan: From :func:`plan_rows`.
        evs: ``(n_observables, n_rows)``.

    Returns:
        ``(n_observables, n_vectors, n_parameters)``; zero where nothing was wanted.
    """
    half = len(plan.source)
    return _chained(template, plan, plan.coefficient * (evs[:, :half] - evs[:, half:]), plan.slopes)


def variances(template: ShiftTemplate, plan: ShiftRows, squares: Array) -> Array:
    """Variances of the derivatives from those of the planned rows, whose errors are independent.

    Args:
        template: From :func:`build_template`.
        plan: From :func:`plan_rows`.
        squares: ``(n_observables, n_rows)``.

    Returns:
        ``(n_observables, n_vectors, n_parameters)``.
    """
    half = len(plan.source)
    sums = plan.coefficient**2 * (squares[:, :half] + squares[:, half:])
    return _chained(template, plan, sums, plan.slopes**2)


def _chained(template: ShiftTemplate, plan: ShiftRows, terms: Array, slopes: Array) -> Array:
    """Terms of slots ``(n_observables, n_pairs of rows)``, summed and carried to parameters."""
    slots, parameters = _columns(template.pairs)
    size = (len(terms), int(plan.copies.max()) + 1, len(template.slots))
    by_slot = np.zeros((size[0], size[1] * size[2]))
    _add_columns(by_slot, plan.source * size[2] + plan.slot, terms)
    by_vector = by_slot.reshape(size)[:, plan.copies]  # (n_observables, n_vectors, n_slots)
    result = np.zeros((*by_vector.shape[:2], template.angles.num_parameters))
    _add_columns(result, parameters, by_vector[:, :, slots] * slopes)
    return result


def angles_and_slopes(template: ShiftTemplate, values: Array) -> tuple[Array, Array]:
    """All slots' angles for many parameter vectors, and how they change with the parameters.

    Args:
        template: From :func:`build_template`.
        values: ``(n_vectors, n_parameters)``.

    Returns:
        ``(n_vectors, n_slots)`` and, of every pair (slot, parameter), ``(n_vectors, n_pairs)``.

    Raises:
        CircuitError: An angle that is not a real number for some of the values.
    """
    table = template.angles
    inputs = torch.as_tensor(values)
    found = AngleMap(table, range(len(template.slots)), table.num_parameters)
    angles = found(inputs, inputs.new_zeros(0)).expand(len(values), -1)
    slopes = [table.coefficients[slot].get(parameter, 0.0) for slot, parameter in template.pairs]
    derivatives = np.tile(np.array(slopes, dtype=np.float64), (len(values), 1))
    free = [i for i, (slot, _) in enumerate(template.pairs) if slot in table.expressions]
    if free:
        derivatives[:, free] = _free_slopes(table, inputs, [template.pairs[i] for i in free])
    return angles.numpy(), derivatives


def _free_slopes(
    table: AngleTable, values: torch.Tensor, pairs: Sequence[tuple[SlotIndex, ParameterIndex]]
) -> Array:
    """Derivatives of slots that are not affine, ``(n_vectors, n_pairs)``.

    Every pair gets its own copy of its parameter, so that one backward pass finds all of them.
    """
    copies = AngleTable(len(pairs))
    column = {pair: i for i, pair in enumerate(pairs)}
    slots = sorted({slot for slot, _ in pairs})
    for slot in slots:
        angle = table.expressions[slot]
        own = tuple(column[slot, parameter] for parameter in angle.parameters)
        copies.expressions[len(copies.constants)] = angle._replace(parameters=own)
        copies.constants.append(0.0)
        copies.coefficients.append({})
    inputs = values[:, [parameter for _, parameter in pairs]].requires_grad_()
    angles = AngleMap(copies, range(len(slots)), len(pairs))(inputs, values.new_zeros(0))
    (slopes,) = torch.autograd.grad(angles.sum(), inputs)
    return slopes.numpy()


def distinct_rows(rows: Array) -> tuple[Array, Indices]:
    """The distinct rows in order of appearance, and every row's index among them."""
    first: dict[bytes, int] = {}
    # adding zero makes -0.0 the same bytes as 0.0
    inverse = [first.setdefault((row + 0.0).tobytes(), len(first)) for row in rows]
    index = np.asarray(inverse, dtype=np.intp)
    chosen = np.zeros(len(first), dtype=np.intp)
    chosen[index[::-1]] = np.arange(len(rows))[::-1]
    return rows[chosen], index


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
        if not _has_parameters(operation):
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


def _terms(rules: Sequence[ShiftRule | None]) -> Iterator[tuple[SlotIndex, float, float]]:
    """(slot, shift, coefficient) of every pair of evaluations."""
    for slot, rule in enumerate(rules):
        if rule is not None:
            for shift, coefficient in zip(rule.shifts, rule.coefficients, strict=True):
                yield slot, shift, coefficient


def _require_rules(template: ShiftTemplate, shifted: Mask) -> None:
    for slot in np.flatnonzero(shifted.any(axis=0)):
        if template.rules[slot] is None:
            raise CircuitError(
                f"no parameter-shift rule for instruction {template.owners[slot]!r}: it is not a "
                "known gate and has no definition; leave its parameters out of parameters=, or "
                "use method='spsa'"
            )


def _has_parameters(operation: Any) -> bool:
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
        and _has_parameters(operation)
        and not operation.is_parameterized()
        and operation.definition is not None
    )


def _add_columns(target: Array, columns: Indices, values: Array) -> None:
    """``target[..., columns] += values``, in place, where columns may repeat."""
    np.add.at(np.moveaxis(target, -1, 0), columns, np.moveaxis(values, -1, 0))


def _columns(pairs: Sequence[tuple[int, int]]) -> tuple[Indices, Indices]:
    """The first and the second members as index arrays, also when there are none."""
    array = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return array[:, 0], array[:, 1]
