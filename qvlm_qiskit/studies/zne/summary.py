"""Rows of a study of extrapolation → mean errors, differences, and how far networks disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qvlm_qiskit.studies.intervals import bounded, differences, means

Row = Mapping[str, Any]
BY = ("qubits", "layers", "method")


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """What a study found.

    Returns:
        ``points``: mean absolute error over circuits of every method, for each width and depth;
        ``differences``: less that of the linear fit, paired by circuit, negative where it is
        smaller; ``overall``: the same over all widths and depths; ``spread``: the standard
        deviation over networks of what they say of one circuit.
    """
    flat = [
        {**{name: row[name] for name in ("qubits", "layers", "seed")},
         "method": method, "error": error}
        for row in rows for method, error in row["errors"].items()
    ]  # fmt: skip
    # a circuit of another width or depth is another draw
    circuits = [{**one, "seed": f"{one['qubits']} {one['layers']} {one['seed']}"} for one in flat]
    linear = {"method": "linear"}
    return {
        "points": bounded(means(flat, BY, ("error",)), ("error",)),
        "differences": differences(flat, BY, ("error",), linear),
        "overall": bounded(means(circuits, ("method",), ("error",)), ("error",)),
        "overall_differences": differences(circuits, ("method",), ("error",), linear),
        "spread": bounded(means(rows, ("qubits", "layers"), ("spread",)), ("spread",)),
    }
