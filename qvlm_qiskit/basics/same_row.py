r"""When two rows are the same: decided here, for layers, paid evaluations and the ledger.

A row is one set of parameter values of a circuit. Rows are compared in three places, each with its
own reason:

- A layer sends equal rows of a batch once, and equal is to the last bit (:func:`distinct`): it
  can't know how steep a machine's answer is, and an exact machine tells every two angles apart.
  Nothing is lost: a batch of the demo's model with repeated images has as many rows that differ by
  a bit as rows that differ by 1e-6 (docs/log.md).
- A paid evaluation asks for rows on a grid (:func:`on_grid`), so that another processor, which
  computes other last bits, asks for the same rows.
- The ledger answers a row of *sampled* values by a known one nearby
  (:func:`parameter_tolerance`), because they differ by less than any affordable number of shots can
  tell.

The last two are distances of gate angles in radians, not of parameters: where an angle grows r
times as fast as its parameter, parameters may differ by 1/r of it, and where r depends on the
parameters (sin x, x·y), only equal bits are the same.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterExpression

from qvlm_qiskit.basics.parameter_expressions import affine_terms

Floats = NDArray[np.float64]

SAME_ROW = 7.5e-7
"""Largest difference of an angle, in radians: three units in the last place of a float32 near π.

Smaller than `GRID`: neighbours there are meant to be different rows. This constant and not the grid
gave way, because keys depend on the grid: with another one, every row of a run that is gone on with
would be bought again."""

GRID = 2.0**-20
"""Radians, 1e-6. Double precision differs by 1e-15 between processors: one value in 10⁹ would fall
on two sides of a boundary."""


def distinct(rows: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """The rows that differ by a bit, in ascending order, and the place of every row among them.

    0.0 and -0.0 are different, as 1/x tells them apart; NaN is equal to nothing.

    Args:
        rows: ``(B, n_parameters)``.
    """
    signed = np.concatenate([rows, np.signbit(rows)], axis=1)
    _, first, copies = np.unique(signed, axis=0, return_index=True, return_inverse=True)
    return rows[first], copies.reshape(-1)


def on_grid(values: Floats, rate: float = 1.0, grid: float = GRID) -> Floats:
    """Values whose angles are on the grid; minus zero becomes zero.

    Args:
        values: Of any shape.
        rate: Of the circuit, see :func:`largest_rate`. The step is the grid up to 1, and beyond
            the grid over the next power of two from the rate; at ∞ values stay as they are.
        grid: Radians between neighbouring angles.
    """
    if math.isinf(rate):
        return values
    step = grid / 2.0 ** max(0, math.ceil(math.log2(max(rate, 1.0))))
    near: Floats = np.round(values / step) * step + 0.0
    return near


def parameter_tolerance(circuit: QuantumCircuit, angle: float = SAME_ROW) -> float:
    """How far parameters may differ where angles may differ by `angle` radians; 0: not at all."""
    return angle / max(1.0, largest_rate(circuit))


def largest_rate(circuit: QuantumCircuit) -> float:
    """How much an angle of the circuit changes with a parameter, at most; ∞ where that depends.

    Angles must be written as sums and multiples of parameters, and only gates of Qiskit's standard
    set, also inside definitions, have angles: the duration of a delay, say, is no angle.
    """
    rates = [0.0]
    for item in circuit.data:
        symbolic = [value for value in item.params if isinstance(value, ParameterExpression)]
        if not symbolic:
            continue
        if item.is_standard_gate():
            rates += [_rate(value) for value in symbolic]
            continue
        definition = getattr(item.operation, "definition", None)
        rates.append(np.inf if definition is None else largest_rate(definition))
    return max(rates)


def _rate(angle: ParameterExpression) -> float:
    if isinstance(angle, Parameter):
        return 1.0
    terms = affine_terms(angle)
    if terms is None:
        return np.inf
    return float(sum(abs(slope) for parameter, slope in terms.items() if parameter is not None))
