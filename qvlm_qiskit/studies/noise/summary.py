"""Rows of a noise study → means over seeds and paired differences, with 95 % intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from qvlm_qiskit.studies.intervals import (
    accuracy_interval,
    grouped,
    mean_interval,
    paired,
    paired_accuracy,
)

Row = Mapping[str, Any]

EXACTLY = "trained exactly"


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """What a study found.

    Returns:
        ``points``: per kind of model, strength and mitigation, the mean over seeds of accuracy,
        loss, and the RMS error and bias of every block's expectation values. ``differences``:
        differences of accuracy and loss, paired by seed, on the same questions. ``gates``: gate
        values per kind. An interval over seeds needs two of them; one seed's accuracies have those
        over its questions, and the bounds of other numbers are None.
    """
    groups = grouped(rows, ("kind", "strength", "mitigation"))
    return {
        "points": [_point(place, found) for place, found in groups.items()],
        "differences": _differences(groups),
        "gates": _gates(rows),
    }


def _point(place: tuple[Any, ...], rows: Sequence[Row]) -> dict[str, Any]:
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


def _differences(groups: Mapping[tuple[Any, ...], Sequence[Row]]) -> list[dict[str, Any]]:
    found = []
    other: tuple[str, float | None, str | None]
    for (kind, strength, mitigation), rows in groups.items():
        if mitigation not in (None, "none"):
            other = (kind, strength, "none")
            what = f"{kind}: {mitigation} - none"
        elif kind not in (EXACTLY, "classical blocks"):
            other = (EXACTLY, strength, mitigation)
            what = f"{kind} - {EXACTLY}"
        elif kind == EXACTLY:
            other = ("classical blocks", None, None)
            what = f"{kind} - classical twin"
        else:
            continue
        against = groups.get(other, ())
        means = paired(rows, against, ("loss",))
        accuracy = paired_accuracy(rows, against)
        if means is not None:
            found.append({"what": what, "strength": strength, "accuracy": accuracy, **means})
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
