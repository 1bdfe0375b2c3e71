"""Rows of a study of starts → means over seeds, decays with the width, and differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qvlm_qiskit.studies.intervals import bounded, differences, grouped, means

Row = Mapping[str, Any]
BY = ("cost", "label", "qubits")
OF = ("square", "start_error", "final_error")
RESAMPLES = 2000


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """What a study found.

    Returns:
        ``points``: mean over seeds of the gradients' mean square and of the errors, for each cost,
        start and width; ``networks``: the tensor networks' own errors and what training gained on
        them; ``decays``: by what factor the mean square changes with each qubit; ``differences``:
        final errors less those of random starts, paired by seed, negative where they are smaller.
    """
    own = [row for row in rows if row["network_error"] is not None]
    gained = [{**row, "gain": row["network_error"] - row["final_error"]} for row in own]
    reference = {"label": "random"}
    return {
        "points": bounded(means(rows, BY, OF), OF),
        "networks": means(gained, BY, ("network_error", "final_error", "gain")),
        "decays": [
            {"cost": cost, "label": label, **_decay(group)}
            for (cost, label), group in grouped(rows, ("cost", "label")).items()
            if len({row["qubits"] for row in group}) > 1
        ],
        "differences": differences(rows, BY, ("final_error",), reference),
    }


def _decay(rows: Sequence[Row]) -> dict[str, float | int | None]:
    """The factor per qubit of a fit to the logarithms, with a bootstrap interval over seeds."""
    seeds = grouped(rows, ("seed",))
    every = [[(row["qubits"], np.log(row["square"])) for row in group] for group in seeds.values()]
    mean = _slope([pair for group in every for pair in group])
    if len(every) < 2:
        return {"mean": float(np.exp(mean)), "low": None, "high": None, "seeds": 1}
    rng = np.random.default_rng(0)
    found = []
    for _ in range(RESAMPLES):
        chosen = rng.integers(len(every), size=len(every))
        found.append(_slope([pair for i in chosen for pair in every[i]]))
    low, high = np.exp(np.quantile(found, (0.025, 0.975)))
    return {
        "mean": float(np.exp(mean)), "low": float(low), "high": float(high), "seeds": len(every),
    }  # fmt: skip


def _slope(pairs: Sequence[tuple[int, float]]) -> float:
    x, y = np.array(pairs, dtype=float).T
    return float(np.polyfit(x, y, 1)[0])
