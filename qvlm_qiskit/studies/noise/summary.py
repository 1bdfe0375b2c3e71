"""Rows of a noise study → means over seeds and paired differences, with 95 % intervals."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import t as student_t

from qvlm_qiskit.evaluation.metrics import CONFIDENCE, Accuracy

Row = Mapping[str, Any]
Place = tuple[str, float | None, str | None]

EXACTLY = "trained exactly"


def mean_interval(values: Sequence[float]) -> dict[str, float | int | None]:
    """Mean over seeds and its Student t interval; one value alone has none."""
    count, mean = len(values), float(np.mean(values))
    if count < 2:
        return {"mean": mean, "low": None, "high": None, "seeds": count}
    error = float(np.std(values, ddof=1)) / math.sqrt(count)
    reach = float(student_t.ppf((1 + CONFIDENCE) / 2, count - 1)) * error
    return {"mean": mean, "low": mean - reach, "high": mean + reach, "seeds": count}


def accuracy_interval(rows: Sequence[Row]) -> dict[str, float | int | None]:
    """Mean accuracy over seeds, with an interval between 0 and 1.

    Two seeds that happen to agree say little: the Student interval over seeds is never taken
    narrower than Wilson's for all their questions together.
    """
    found = mean_interval([row["accuracy"] for row in rows])
    if found["low"] is None or found["high"] is None:
        return found
    pooled = Accuracy(sum(row["correct"] for row in rows), sum(row["total"] for row in rows))
    low, high = pooled.interval
    found["low"] = max(0.0, min(float(found["low"]), low))
    found["high"] = min(1.0, max(float(found["high"]), high))
    return found


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """What a study found.

    Returns:
        ``points``: per kind of model, strength and mitigation, the mean over seeds of accuracy,
        loss, and the RMS error and bias of every block's expectation values. ``differences``:
        differences of accuracy and loss, paired by seed, on the same questions. ``gates``: gate
        values per kind. An interval over seeds needs two of them; its bounds are None otherwise.
    """
    groups: dict[Place, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["kind"], row["strength"], row["mitigation"]].append(row)
    return {
        "points": [_point(place, found) for place, found in groups.items()],
        "differences": _differences(groups),
        "gates": _gates(rows),
    }


def _point(place: Place, rows: Sequence[Row]) -> dict[str, Any]:
    kind, strength, mitigation = place
    blocks = [entry["block"] for entry in rows[0]["expectations"]]
    return {
        "kind": kind,
        "strength": strength,
        "mitigation": mitigation,
        "accuracy": accuracy_interval(rows),
        "loss": mean_interval([row["loss"] for row in rows]),
        "expectations": {
            block: {
                name: mean_interval([row["expectations"][i][name] for row in rows])
                for name in ("rms", "bias")
            }
            for i, block in enumerate(blocks)
        },
    }


def _differences(groups: Mapping[Place, Sequence[Row]]) -> list[dict[str, Any]]:
    found = []
    for (kind, strength, mitigation), rows in groups.items():
        if mitigation not in (None, "none"):
            other: Place = (kind, strength, "none")
            what = f"{kind}: {mitigation} - none"
        elif kind not in (EXACTLY, "classical blocks"):
            other = (EXACTLY, strength, mitigation)
            what = f"{kind} - {EXACTLY}"
        elif kind == EXACTLY:
            other = ("classical blocks", None, None)
            what = f"{kind} - classical twin"
        else:
            continue
        by_seed = {row["seed"]: row for row in groups.get(other, ())}
        pairs = [(row, by_seed[row["seed"]]) for row in rows if row["seed"] in by_seed]
        if pairs:
            means = {
                name: mean_interval([one[name] - two[name] for one, two in pairs])
                for name in ("accuracy", "loss")
            }
            found.append({"what": what, "strength": strength, **means})
    return found


def _gates(rows: Sequence[Row]) -> list[dict[str, Any]]:
    values: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for row in rows:
        for gate, value in row["gates"].items():
            values[row["kind"], gate][row["seed"]] = value
    return [
        {"kind": kind, "gate": gate, "value": mean_interval(list(by_seed.values()))}
        for (kind, gate), by_seed in values.items()
    ]
