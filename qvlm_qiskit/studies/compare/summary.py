"""Rows of a comparison → means over seeds and paired differences, with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from qvlm_qiskit.evaluation.metrics.registry import find_metric
from qvlm_qiskit.studies.compare.cells import EXACT
from qvlm_qiskit.studies.intervals import (
    Interval,
    accuracy_interval,
    grouped,
    mean_interval,
    paired,
    paired_accuracy,
)

Row = Mapping[str, Any]
ACCURACY = "exact match"
"""The label of the metric whose differences have an interval for one seed too."""


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """What a comparison found.

    Returns:
        ``points``: per variant and machine, every metric's mean over seeds with Student's interval,
        never narrower than over questions (of exact match Wilson's for all of them together, of
        others the mean of the seeds' bootstrap intervals), parameters, and mean seconds.
        ``differences``: of the quantum model (without one, of the first variant) from every other
        one, and on the backend from exactly, paired by seed; of exact match never narrower than
        paired by question, of other metrics never narrower than for questions that were drawn
        apart.
    """
    groups = grouped(rows, ("variant", "machine"))
    return {
        "points": [_point(place, found) for place, found in groups.items()],
        "differences": _differences(groups),
        "kinds": list(rows[0]["by_kind"]) if rows else [],
    }


def _point(place: tuple[Any, ...], rows: Sequence[Row]) -> dict[str, Any]:
    first = rows[0]
    return {
        "variant": place[0],
        "machine": place[1],
        "metrics": {one["label"]: _over_seeds(one["label"], rows) for one in first["metrics"]},
        "units": {one["label"]: one["unit"] for one in first["metrics"]},
        "by_kind": {
            kind: accuracy_interval([row["by_kind"][kind] for row in rows])
            for kind in first["by_kind"]
            if all(kind in row["by_kind"] for row in rows)
        },
        **{name: first[name] for name in ("parameters", "quantum_parameters")},
        **{
            name: mean_interval([row[name] for row in rows])["mean"]
            for name in ("seconds_trained", "seconds_evaluated")
        },
    }


def _over_seeds(label: str, rows: Sequence[Row]) -> Interval:
    if label == ACCURACY:
        return accuracy_interval(rows)
    found = mean_interval([row["values"][label] for row in rows])
    parts = [one for row in rows for one in row["metrics"] if one["label"] == label]
    low, high = (sum(one[end] for one in parts) / len(parts) for end in ("low", "high"))
    if found["low"] is not None and found["high"] is not None:
        least, most = find_metric(parts[0]["metric"]).bounds
        low = max(least, min(low, found["low"]))
        high = min(most, max(high, found["high"]))
    return {**found, "low": low, "high": high}


def _differences(groups: Mapping[tuple[Any, ...], Sequence[Row]]) -> list[dict[str, Any]]:
    names = [name for name, _ in groups]
    if not names:
        return []
    first = "quantum" if "quantum" in names else names[0]
    own = {machine: rows for (name, machine), rows in groups.items() if name == first}
    if EXACT not in own:
        return []
    exact = own[EXACT]
    pairs = [
        (f"{first} − {variant}", exact, rows)
        for (variant, machine), rows in groups.items()
        if machine == EXACT and variant != first
    ]
    pairs += [
        (f"{machine} − exact", rows, exact) for machine, rows in own.items() if machine != EXACT
    ]
    return [
        {"what": what, "label": one["label"], "unit": one["unit"], **found}
        for what, rows, others in pairs
        for one in exact[0]["metrics"]
        if (found := _difference(one["label"], rows, others)) is not None
    ]


def accuracy_difference(rows: Sequence[Row], others: Sequence[Row]) -> Interval | None:
    """Paired by seed, and never narrower than the paired bootstrap of all questions together.

    Two seeds that happen to agree would otherwise claim that no third could differ.
    """
    from qvlm_qiskit.evaluation.metrics import paired_difference

    found, by_seed = paired_accuracy(rows, others), {row["seed"]: row for row in others}
    if found is None or found["low"] is None or found["high"] is None:
        return found
    pairs = [
        (row["right"], by_seed[row["seed"]]["right"]) for row in rows if row["seed"] in by_seed
    ]
    first, second = ([c == "1" for text in side for c in text] for side in zip(*pairs, strict=True))
    pooled = paired_difference(first, second)
    return {**found, "low": min(found["low"], pooled.low), "high": max(found["high"], pooled.high)}


def _difference(label: str, rows: Sequence[Row], others: Sequence[Row]) -> Interval | None:
    if label == ACCURACY:
        return accuracy_difference(rows, others)
    plain = [[{"seed": row["seed"], **row["values"]} for row in part] for part in (rows, others)]
    found = paired(plain[0], plain[1], (label,))
    return None if found is None else _widened(found[label], label, rows, others)


def _widened(found: Interval, label: str, rows: Sequence[Row], others: Sequence[Row]) -> Interval:
    """Never narrower than if the questions of both had been drawn apart.

    Two seeds that happen to agree would otherwise claim that no third could differ.
    """
    mean = float(found["mean"] or 0.0)
    reach = math.hypot(_reach(label, rows), _reach(label, others))
    low, high = mean - reach, mean + reach
    if found["low"] is not None and found["high"] is not None:
        low, high = min(low, found["low"]), max(high, found["high"])
    return {**found, "low": low, "high": high}


def _reach(label: str, rows: Sequence[Row]) -> float:
    """Half of the mean interval over questions."""
    parts = [one for row in rows for one in row["metrics"] if one["label"] == label]
    return float(sum(one["high"] - one["low"] for one in parts)) / (2 * len(parts))
