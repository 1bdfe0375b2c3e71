"""Rows of a study of optimisers → the chosen step sizes, and what each optimiser reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qvlm_qiskit.studies.intervals import (
    Interval,
    accuracy_interval,
    grouped,
    mean_interval,
    paired,
    verdict,
)
from qvlm_qiskit.studies.optimisers.cells import CHECKPOINTS_PER_DECADE, FIRST_TUNING_SEED

Row = Mapping[str, Any]
SHARES = (0.01, 0.1, 1.0)
"""Of the whole budget: where tables compare."""


def summarise(rows: Sequence[Row], against: str) -> dict[str, Any]:
    """What a study found.

    Args:
        rows: All of them.
        against: The optimiser that the others are compared with.

    Returns:
        ``points``: for each data set and optimiser, with the step size that had the least mean
        training loss over the tuning seeds: curves over circuits, and at some budgets training
        loss, test accuracy and their differences from `against`, paired by seed. ``steps``: the
        loss and accuracy at the end for every step size. ``linear``: logistic regression.
    """
    reported = [row for row in rows if row["seed"] < FIRST_TUNING_SEED]
    best = chosen(rows)
    groups = grouped(reported, ("data", "optimiser", "step"))
    points = [
        _point(place, groups[place], groups[(place[0], against, best[place[0], against])])
        for place in groups
        if best[place[:2]] == place[2]
    ]
    steps = [_step(place, group, best) for place, group in groups.items()]
    linear = {
        data: accuracy_interval(
            [_scored(one[0], one[0]["linear_correct"]) for one in _by_seed(group)]
        )
        for (data,), group in grouped(reported, ("data",)).items()
    }
    return {"points": points, "steps": steps, "linear": linear}


def chosen(rows: Sequence[Row]) -> dict[tuple[str, str], float]:
    """Data set and optimiser → the step size of least mean training loss over tuning seeds."""
    tuning = [row for row in rows if row["seed"] >= FIRST_TUNING_SEED]
    best: dict[tuple[str, str], float] = {}
    for place, group in grouped(tuning, ("data", "optimiser")).items():
        found = grouped(group, ("step",))
        means = {step: np.mean([row["loss"] for row in own]) for (step,), own in found.items()}
        best[place[0], place[1]] = min(means, key=lambda step: float(means[step]))
    return best


def at(row: Row, share: float) -> dict[str, Any]:
    """Loss and accuracy of a row at a share of the budget that is a checkpoint."""
    return _seen(row, round(np.log10(share) * CHECKPOINTS_PER_DECADE) - 1)


def _seen(row: Row, number: int) -> dict[str, Any]:
    """Loss and accuracy at a checkpoint."""
    return {**_scored(row, row["curve"]["correct"][number]), "loss": row["curve"]["loss"][number]}


def _scored(row: Row, correct: int) -> dict[str, Any]:
    found = {"correct": correct, "total": row["total"], "accuracy": correct / row["total"]}
    return {"seed": row["seed"], **found}


def _reached(rows: Sequence[Row]) -> dict[str, Interval]:
    """Loss and accuracy over seeds."""
    return {"loss": mean_interval([r["loss"] for r in rows]), "accuracy": accuracy_interval(rows)}


def _point(place: tuple[Any, ...], rows: Sequence[Row], others: Sequence[Row]) -> dict[str, Any]:
    budgets = []
    for share in SHARES:
        own, theirs = ([at(row, share) for row in found] for found in (rows, others))
        difference = None if rows is others else paired(own, theirs, ("loss", "accuracy"))
        says = "" if difference is None else verdict(_saved(difference["loss"]))
        budgets.append({"share": share, **_reached(own), "difference": difference, "says": says})
    return {
        **dict(zip(("data", "optimiser", "step"), place, strict=True)),
        "spent": float(np.mean([row["spent"] for row in rows])),
        "iterates": float(np.mean([row["iterates"] for row in rows])),
        "budgets": budgets,
        "curve": {"circuits": rows[0]["curve"]["circuits"], **_curves(rows)},
    }


def _saved(difference: Interval) -> Interval:
    """A difference of losses with its sign turned: more is better."""
    ends = {"mean": "mean", "low": "high", "high": "low"}
    turned = {one: None if (v := difference[end]) is None else -v for one, end in ends.items()}
    return {**difference, **turned}


def _curves(rows: Sequence[Row]) -> dict[str, list[Interval]]:
    numbers = range(len(rows[0]["curve"]["circuits"]))
    found = [_reached([_seen(row, number) for row in rows]) for number in numbers]
    return {name: [one[name] for one in found] for name in ("loss", "accuracy")}


def _step(place: tuple[Any, ...], rows: Sequence[Row], best: Mapping[Any, float]) -> dict[str, Any]:
    return {
        **dict(zip(("data", "optimiser", "step"), place, strict=True)),
        "chosen": best[place[0], place[1]] == place[2],
        **_reached([_seen(row, -1) for row in rows]),
    }


def _by_seed(rows: Sequence[Row]) -> list[list[Row]]:
    return list(grouped(rows, ("seed",)).values())
