"""Rows of a study of shrinking → rates and ratios by problem and method, and differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qvlm_qiskit.studies.intervals import bounded, differences, means

Row = Mapping[str, Any]
BY = ("problem", "method")
SHARES = ("feasible", "unrepaired", "ratio", "optimal")
OF = (*SHARES, "circuits")


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """What a study found.

    Returns:
        ``points``: for each kind of problem and method, means over problems of: whether the answer
        was feasible before its repair, its ratio to the best one then (0 if not feasible) and
        after it, whether it was the best one, and circuits; ``differences``: less plain QAOA,
        paired by problem; ``against_couplings``: shrinking by circuits less shrinking by couplings;
        ``samples``: the share of samples that were feasible.
    """
    flat = [
        {"problem": row["problem"], "seed": row["seed"], "method": method, **found}
        for row in rows for method, found in row["methods"].items()
    ]  # fmt: skip
    sampled = [one for one in flat if "feasible_samples" in one]
    shrunk = [one for one in flat if one["method"] in ("shrinking", "by couplings")]
    return {
        "points": bounded(means(flat, BY, OF), SHARES, 0, 1),
        "differences": differences(flat, BY, ("ratio",), {"method": "QAOA"}),
        "against_couplings": differences(
            shrunk, BY, ("unrepaired", "ratio"), {"method": "by couplings"}
        ),
        "samples": bounded(means(sampled, BY, ("feasible_samples",)), ("feasible_samples",), 0, 1),
        "merges": means(
            [one for one in flat if "merges" in one], ("problem",), ("merges", "refused")
        ),
    }
