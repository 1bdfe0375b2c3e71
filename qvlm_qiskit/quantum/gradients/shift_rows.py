"""The rows that derivatives by shift rules need, each once, and derivatives from their values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.quantum.gradients.shift_rules import ShiftRule
from qvlm_qiskit.quantum.gradients.shift_template import ShiftTemplate, SlotIndex
from qvlm_qiskit.quantum.program.angles import AngleTable, ParameterIndex
from qvlm_qiskit.quantum.program.binding import AngleMap

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


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


def plan_rows(template: ShiftTemplate, values: Array, wanted: Mask) -> ShiftRows:
    """The template rows that the wanted derivatives need, each once.

    A slot is shifted for a parameter vector only if it depends, with a slope that is not zero
    there, on a wanted parameter: 2R rows per slot (R = 1, or 2 for :data:`FOUR_TERM` and
    :data:`AXIS`).

    Args:
        template: From :func:`~qvlm_qiskit.quantum.gradients.shift_template.build_template`.
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
        template: From :func:`~qvlm_qiskit.quantum.gradients.shift_template.build_template`.
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
        template: From :func:`~qvlm_qiskit.quantum.gradients.shift_template.build_template`.
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
        template: From :func:`~qvlm_qiskit.quantum.gradients.shift_template.build_template`.
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


def _add_columns(target: Array, columns: Indices, values: Array) -> None:
    """``target[..., columns] += values``, in place, where columns may repeat."""
    np.add.at(np.moveaxis(target, -1, 0), columns, np.moveaxis(values, -1, 0))


def _columns(pairs: Sequence[tuple[int, int]]) -> tuple[Indices, Indices]:
    """The first and the second members as index arrays, also when there are none."""
    array = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return array[:, 0], array[:, 1]
