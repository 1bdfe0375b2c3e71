"""Rows of a study of robustness → accuracies under attack, differences, and checks of masking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qvlm_qiskit.studies.intervals import (
    accuracy_interval,
    grouped,
    mean_interval,
    paired,
    verdict,
)

Row = Mapping[str, Any]
CLEAN = "none"
"""The attack that changes nothing."""
REFERENCE = "quantum"
CHECKS = (
    ("random", "fgsm", "the gradient is worse than chance"),
    ("fgsm", "pgd", "many steps are weaker than one"),
    ("pgd", "pgd-more", "more steps are weaker"),
    ("from others", "pgd", "pictures made for other models are stronger"),
)
"""(weaker, stronger, what it means if the stronger leaves more pictures right)."""
MASKED, SOUND, UNKNOWN = "masked", "ok", "one seed"


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """What a study found.

    Returns:
        ``points``: for each variant, attack and ε, accuracy over seeds. ``differences``: of the
        quantum variant less each other one, paired by seed, more is better. ``checks``: for each
        variant, ε and pair of attacks, by how much the stronger one leaves more pictures right, and
        whether that says that gradients are masked. ``models``: parameters and input gradients.
    """
    told = [one for row in rows for one in _attacks(row)]
    groups = grouped(told, ("variant", "attack", "epsilon"))
    names = ("variant", "attack", "epsilon")
    points = [
        {**dict(zip(names, place, strict=True)), "accuracy": accuracy_interval(group)}
        for place, group in groups.items()
    ]
    return {
        "models": [_model(place[0], group) for place, group in grouped(rows, ("variant",)).items()],
        "points": points,
        "differences": _differences(groups),
        "checks": _checks(groups),
    }


def _attacks(row: Row) -> list[dict[str, Any]]:
    """One entry per attack and ε, with the strongest of those made for other models by itself."""
    found = [{"attack": CLEAN, "epsilon": 0.0, "correct": row["correct"]}, *row["attacks"]]
    for (epsilon,), of_one in grouped(row["attacks"], ("epsilon",)).items():
        others = [one["correct"] for one in of_one if one["attack"].startswith("from ")]
        if others:
            found.append({"attack": "from others", "epsilon": epsilon, "correct": min(others)})
    fixed = {name: row[name] for name in ("variant", "seed", "total")}
    return [{**fixed, **one, "accuracy": one["correct"] / row["total"]} for one in found]


def _model(variant: str, rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "variant": variant,
        "parameters": rows[0]["parameters"],
        "quantum_parameters": rows[0]["quantum_parameters"],
        "slope": mean_interval([row["slope"] for row in rows]),
        "without_slope": float(np.mean([row["without_slope"] for row in rows])),
    }


def _differences(groups: Mapping[tuple[Any, ...], Sequence[Row]]) -> list[dict[str, Any]]:
    found = []
    for (variant, attack, epsilon), group in groups.items():
        own = groups.get((REFERENCE, attack, epsilon))
        if variant == REFERENCE or own is None or attack.startswith("from"):
            continue
        difference = paired(own, group, ("accuracy",))
        if difference is not None:
            says = {"difference": difference["accuracy"], "says": verdict(difference["accuracy"])}
            found.append({"variant": variant, "attack": attack, "epsilon": epsilon, **says})
    return found


def _checks(groups: Mapping[tuple[Any, ...], Sequence[Row]]) -> list[dict[str, Any]]:
    found = []
    for variant, epsilon in dict.fromkeys((place[0], place[2]) for place in groups if place[2]):
        for weaker, stronger, means in CHECKS:
            mild, hard = (groups.get((variant, one, epsilon)) for one in (weaker, stronger))
            left = paired(hard, mild, ("accuracy",)) if mild and hard else None
            if left is None:
                continue
            about = {"variant": variant, "epsilon": epsilon, "weaker": weaker, "stronger": stronger}
            found.append({**about, "left": left["accuracy"], **_judged(left["accuracy"], means)})
    return found


def _judged(left: Mapping[str, Any], means: str) -> dict[str, str]:
    if left["low"] is None:
        return {"result": UNKNOWN, "means": ""}
    masked = left["low"] > 0
    return {"result": MASKED if masked else SOUND, "means": means if masked else ""}
