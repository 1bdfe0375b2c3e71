"""Rows of a drift study → means over runs for each calibration, and their spread over all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from qvlm_qiskit.studies.drift.cells import EXACT
from qvlm_qiskit.studies.intervals import (
    accuracy_interval,
    grouped,
    mean_interval,
    paired_accuracy,
)

Row = Mapping[str, Any]
LEAST_RANKED = 4
"""Fewer calibrations than this have no rank correlation worth a number."""


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """What a study found.

    Returns:
        ``points``: for each calibration and technique, oldest calibration first, the mean over runs
        of accuracy, of its difference from exactly (paired by run), and of the RMS error of ⟨Z⟩ of
        the worst block; the least estimated success probability of a block; the device's medians.
        ``spread``: for each technique, of accuracy and RMS error over calibrations: the mean with
        Student's interval (calibrations, not questions, are what is drawn here), standard
        deviation, least and largest, and Spearman's rank correlation of the estimated success
        probability with the RMS error (None below four calibrations, or where one is constant).
    """
    exact = [row for row in rows if row["calibration"] == EXACT]
    noisy = [row for row in rows if row["calibration"] != EXACT]
    found = grouped(noisy, ("calibration", "mitigation"))
    points = [_point(place, group, exact) for place, group in found.items()]
    points.sort(key=lambda one: (one["calibrated_utc"], one["calibration"]))
    return {
        "exact": accuracy_interval(exact) if exact else None,
        "points": points,
        "spread": [
            {"mitigation": technique, **_spread(group)}
            for (technique,), group in grouped(points, ("mitigation",)).items()
        ],
    }


def _point(place: tuple[Any, ...], rows: Sequence[Row], exact: Sequence[Row]) -> dict[str, Any]:
    first = rows[0]
    return {
        "calibration": place[0],
        "mitigation": place[1],
        **{name: first[name] for name in ("device", "calibrated_utc", "noise")},
        "accuracy": accuracy_interval(rows),
        "difference": paired_accuracy(rows, exact),
        "rms": mean_interval([row["rms"] for row in rows]),
        "success": float(np.mean([row["success"] for row in rows])),
        "two_qubit_gates": max(one["two_qubit_gates"] for one in first["blocks"]),
    }


def _spread(points: Sequence[Row]) -> dict[str, Any]:
    rms = [point["rms"]["mean"] for point in points]
    return {
        "calibrations": len(points),
        "accuracy": _over([point["accuracy"]["mean"] for point in points]),
        "rms": _over(rms),
        "rank_correlation": _ranked([point["success"] for point in points], rms),
    }


def _over(values: Sequence[float]) -> dict[str, Any]:
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {
        **mean_interval(values),
        "deviation": deviation,
        "least": min(values),
        "most": max(values),
    }


def _ranked(ones: Sequence[float], others: Sequence[float]) -> float | None:
    if len(ones) < LEAST_RANKED or len(set(ones)) == 1 or len(set(others)) == 1:
        return None
    return float(spearmanr(ones, others).statistic)
