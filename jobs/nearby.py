"""Rows that differ by rounding only are one row.

The same image in a batch of another size gives angles that differ in their last float32 bits,
because matrix products are summed in another order. Measured on the demo's model, half of the rows
of a smaller batch would be bought again for that. So a row of sampled values that agrees with a
known one within `SAME_ROW` in every parameter is replaced by that one: its circuit is the one that
was run, its key the one that is looked up. Where a circuit's angles grow faster than its
parameters, the tolerance is smaller by as much. The expectation value of a circuit with n such
rotations differs by at most n · SAME_ROW, far below the error of any affordable number of shots;
rows without a precision (exact machines) are never replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterExpression
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from scipy.spatial import KDTree

from qvlm_qiskit.jobs.rows import Row
from qvlm_qiskit.jobs.store import JobStore

SAME_ROW = 1e-6
"""Largest difference of a parameter, in radians; within one call QuantumLayer uses the same."""


def snap(
    store: JobStore, rows: Sequence[Row], pubs: Sequence[EstimatorPub], tolerance: float
) -> list[Row]:
    """Replace unknown rows of sampled values by the nearest known one within a tolerance.

    Args:
        store: The ledger.
        rows: The rows of a call.
        pubs: The pubs that they come from.
        tolerance: In radians, in the largest norm.
    """
    if tolerance <= 0:
        return list(rows)
    known = store.find_rows({row.key for row in rows})
    kinds: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        sampled = pubs[row.pub].precision is not None and len(row.values)
        if sampled and row.key not in known:
            kinds.setdefault(row.group, []).append(place)
    found = list(rows)
    for kind, places in kinds.items():
        keys, values = store.values_of_kind(kind)
        if not keys:
            continue
        bound = tolerance / max(1.0, largest_rate(pubs[rows[places[0]].pub].circuit))
        if bound == 0:
            continue
        asked = np.stack([rows[place].values for place in places])
        distances, nearest = KDTree(values).query(asked, p=np.inf, distance_upper_bound=bound)
        for place, distance, index in zip(places, distances, nearest, strict=True):
            if np.isfinite(distance):
                found[place] = replace(rows[place], key=keys[index], values=values[index])
    return found


def largest_rate(circuit: QuantumCircuit) -> float:
    """How much an angle of the circuit changes with a parameter, at most; ∞ where that depends.

    Angles must be linear in the parameters, and only gates of Qiskit's standard set, also inside
    definitions, have angles: the duration of a delay, say, is no angle.
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
    slopes = [angle.gradient(parameter) for parameter in angle.parameters]
    if any(isinstance(slope, ParameterExpression) for slope in slopes):
        return np.inf
    return float(sum(abs(slope) for slope in slopes))
