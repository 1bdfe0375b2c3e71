"""Rows of a study of kernels → means over seeds, and differences paired by seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qvlm_qiskit.kernels import Concentration, of_random_states
from qvlm_qiskit.studies.intervals import (
    Row,
    accuracy_interval,
    differences,
    grouped,
    mean_interval,
    means,
    paired_accuracy,
)
from qvlm_qiskit.studies.kernels.concentration import POINTS
from qvlm_qiskit.studies.kernels.independence import REFERENCE as GAUSSIAN
from qvlm_qiskit.studies.kernels.options import PARTS
from qvlm_qiskit.studies.kernels.regression import REFERENCE as RBF_SVR

PAIRS = POINTS * (POINTS - 1) // 2
RBF = "rbf"
"""What is not aligned is compared with it; what is, with its aligned twin."""


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """What a study found, by part; a part that was not asked for is empty.

    Returns:
        ``classification``: accuracy, its difference from the Gaussian kernel (an aligned kernel's
        from the aligned one), and alignments. ``alignment``: for aligned kernels, before and after.
        ``concentration``: mean and variance of K; ``rates``: powers of two that they lose for each
        qubit. ``regression``: R², errors, differences from the Gaussian kernel's. ``independence``:
        shares of rejected tables and differences from the Gaussian kernel's. ``graphs``: F1 of
        joined pairs, likewise.
    """
    of = {part: [row for row in rows if row["part"] == part] for part in PARTS}
    return {
        "classification": _classification(of["classification"]),
        "alignment": _alignment(of["classification"]),
        "concentration": _concentration(of["concentration"]),
        "rates": _rates(of["concentration"]),
        "regression": _compared(of["regression"], ("r2", "rmse"), RBF_SVR),
        "independence": _independence(of["independence"]),
        "graphs": _compared(of["graphs"], ("f1", "missing", "extra"), GAUSSIAN),
    }


def _classification(rows: Sequence[Row]) -> list[dict[str, Any]]:
    groups = grouped(rows, ("subject", "model"))
    found = []
    for (subject, model), group in groups.items():
        twin = f"{RBF} aligned" if model.endswith("aligned") else RBF
        against = groups.get((subject, twin), []) if model != twin else []
        aligned = [row["alignment"] for row in group if "alignment" in row]
        found.append(
            {
                "subject": subject,
                "model": model,
                "accuracy": accuracy_interval(group),
                "against": twin,
                "difference": paired_accuracy(group, against) if against else None,
                "alignment": mean_interval([a["unseen"] for a in aligned]) if aligned else None,
                "trained_with": group[0]["trained_with"],
                "tested_with": group[0]["total"],
            }
        )
    return found


def _alignment(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Of aligned kernels, and what it did to accuracy, paired with the same kernel before."""
    groups = grouped(rows, ("subject", "model"))
    found = []
    for (subject, model), group in groups.items():
        if "before" not in group[0]:
            continue
        plain = groups.get((subject, model.removesuffix(" aligned")), [])
        entry = {"subject": subject, "model": model.removesuffix(" aligned")}
        for points in ("seen", "unseen"):
            for when, name in (("before", "before"), ("after", "alignment")):
                entry[f"{when}_{points}"] = mean_interval([row[name][points] for row in group])
        entry["gain"] = mean_interval(
            [row["alignment"]["unseen"] - row["before"]["unseen"] for row in group]
        )
        found.append({**entry, "accuracy": paired_accuracy(group, plain) if plain else None})
    return found


def _concentration(rows: Sequence[Row]) -> list[dict[str, Any]]:
    told = [
        {**row, "shots": Concentration(row["mean"], row["variance"], PAIRS).shots} for row in rows
    ]
    found = means(told, ("model", "size"), ("mean", "variance", "shots"))
    features = {(row["model"], row["size"]): row["features"] for row in rows}
    return [
        {**one, "features": features[one["model"], one["size"]],
         "random": dict(zip(("mean", "variance"), of_random_states(one["size"]), strict=True))}
        for one in found
    ]  # fmt: skip


def _rates(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Slopes of log₂ of mean and variance against qubits: one line per seed, their mean."""
    found = []
    for (model,), group in grouped(rows, ("model",)).items():
        lines: dict[str, list[float]] = {"mean": [], "variance": []}
        for (_,), of_seed in grouped(group, ("seed",)).items():
            sizes = [row["size"] for row in of_seed]
            if len(sizes) < 2:
                continue
            for name, slopes in lines.items():
                values = np.log2([row[name] for row in of_seed])
                slopes.append(float(np.polyfit(sizes, values, 1)[0]))
        if lines["mean"]:
            entry = {name: mean_interval(slopes) for name, slopes in lines.items()}
            found.append({"model": model, **entry})
    return found


def _compared(rows: Sequence[Row], names: Sequence[str], reference: str) -> list[dict[str, Any]]:
    """Means of some numbers, and differences from a reference model."""
    by = ("subject", "model", "size")
    away = {
        tuple(one[name] for name in by): one
        for one in differences(rows, by, names, {"model": reference})
    }
    return [
        {**one, "difference": away.get(tuple(one[name] for name in by))}
        for one in means(rows, by, names)
    ]


def _independence(rows: Sequence[Row]) -> list[dict[str, Any]]:
    groups = grouped(rows, ("subject", "model", "size"))
    return [
        {
            "subject": subject,
            "model": model,
            "size": size,
            "dependent": group[0]["dependent"],
            "rejected": accuracy_interval(group),
            "difference": None if model == GAUSSIAN
            else paired_accuracy(group, groups.get((subject, GAUSSIAN, size), [])),
        }
        for (subject, model, size), group in groups.items()
    ]  # fmt: skip
