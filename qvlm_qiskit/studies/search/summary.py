"""Rows of a study of circuit search → regrets by search, and differences from random ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qvlm_qiskit.studies.intervals import bounded, differences, grouped, means

Row = Mapping[str, Any]


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """What a study found.

    Returns:
        ``points``: for each task, search and share of the budget the regret, the value of the
        pool's best circuit less that of the best one asked for; ``differences``: less the random
        search, paired by seed, below 0 is better; ``representation``: searches in a trained
        embedding less those in an untrained one; ``pools``: what the tables hold.
    """
    flat = [
        {**{name: row[name] for name in ("task", "label", "method", "space", "seed")},
         "share": share, "asked": float(share.rstrip("%")) / 100, "regret": regret}
        for row in rows for share, regret in row["regret"].items()
    ]  # fmt: skip
    ends = [one for one in flat if one["asked"] == 1]
    learned = [one for one in ends if one["space"]]
    return {
        "points": bounded(means(flat, ("task", "label", "asked"), ("regret",)), ("regret",)),
        "differences": differences(ends, ("task", "label"), ("regret",), {"label": "random"}),
        "representation": differences(
            learned, ("task", "method", "space"), ("regret",), {"space": "untrained"}
        ),
        "pools": [
            {"task": task, **{name: group[0][name] for name in ("best", "median", "ties")}}
            for (task,), group in grouped(rows, ("task",)).items()
        ],
    }
