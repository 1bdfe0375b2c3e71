"""Rows of a study of replacements → accuracies, and differences from fair controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qvlm_qiskit.studies.intervals import (
    accuracy_interval,
    grouped,
    mean_interval,
    paired_accuracy,
    verdict,
)

Row = Mapping[str, Any]
PAIRS = (
    ("quanvolution", "linear", "level 1 less level 0"),
    ("quanvolution", "quanvolution-twin", "level 1 less its twin"),
    ("quanvolution", "positive", "level 1 less kernels A Aᵀ"),
    ("quanvolution-relu", "relu", "the same, both with ReLU"),
    ("quantum", "linear", "level 2 less level 0"),
    ("quantum", "quanvolution", "level 2 less level 1"),
    ("quantum", "quantum-twin", "level 2 less its twin"),
    ("quantum", "relu", "level 2 less level 0 with ReLU"),
    ("quantum", "frozen", "level 2 less untrained circuits"),
    ("relu", "linear", "what ReLU alone is worth"),
)
"""(one, other, what the difference is)."""
PUBLISHED = {"linear": 92.30, "quanvolution": 92.34, "quantum": 96.92}
"""MNIST, percent: torch, ten repetitions, 32 and 16 channels, all 60,000 pictures."""


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """What a study found.

    Returns:
        ``points``: for each variant, with the learning rate of the best mean validation accuracy,
        test accuracy over seeds, loss at the end, trained numbers and CPU time of a step.
        ``differences``: pairs of variants, paired by seed. ``rates``: accuracies of every rate.
    """
    best = chosen(rows)
    groups = {
        variant: [_scored(row) for row in group if row["rate"] == best[variant]]
        for (variant,), group in grouped(rows, ("variant",)).items()
    }
    rates = [
        {
            "variant": variant,
            "rate": rate,
            "chosen": rate == best[variant],
            "validation": mean_interval([row["validation"] for row in group]),
            "accuracy": accuracy_interval([_scored(row) for row in group]),
        }
        for (variant, rate), group in grouped(rows, ("variant", "rate")).items()
    ]
    return {
        "points": [_point(variant, group) for variant, group in groups.items()],
        "differences": _differences(groups),
        "rates": rates,
    }


def chosen(rows: Sequence[Row]) -> dict[str, float]:
    """Variant → the learning rate with the best mean validation accuracy, the first of equals."""
    best: dict[str, float] = {}
    for (variant,), group in grouped(rows, ("variant",)).items():
        found = grouped(group, ("rate",))
        means = {
            rate: np.mean([one["validation"] for one in own]) for (rate,), own in found.items()
        }
        best[variant] = max(means, key=lambda rate: float(means[rate]))
    return best


def _scored(row: Row) -> dict[str, Any]:
    return {**row, "accuracy": row["correct"] / row["total"]}


def _point(variant: str, rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "variant": variant,
        "rate": rows[0]["rate"],
        "parameters": rows[0]["parameters"],
        "accuracy": accuracy_interval(rows),
        "loss": mean_interval([row["loss"] for row in rows]),
        "losses": np.mean([row["losses"] for row in rows], axis=0).tolist(),
        "step_ms": float(np.median([row["step_ms"] for row in rows])),
        "published": PUBLISHED.get(variant),
    }


def _differences(groups: Mapping[str, Sequence[Row]]) -> list[dict[str, Any]]:
    found = []
    for one, other, what in PAIRS:
        if one in groups and other in groups:
            difference = paired_accuracy(groups[one], groups[other])
            if difference is not None:
                names = {"one": one, "other": other, "what": what}
                found.append({**names, "difference": difference, "says": verdict(difference)})
    return found
