"""Rows of a study of compression → sizes and losses, and differences from low rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qvlm_qiskit.studies.intervals import bounded, differences, means

Row = Mapping[str, Any]
BY = ("method", "bond", "steps")


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """What a study found.

    Returns:
        ``points``: mean over seeds of the held-out loss, for each way, bond dimension and number
        of healing steps; ``differences``: matrix product less low rank, paired by seed;
        ``against_whole``: less the whole model after as many steps; ``sizes``: parameters and
        errors of layers. Healing's seeds are its order of text; before it, losses of all seeds are
        the same number.
    """
    flat = [
        {**{name: row[name] for name in ("method", "bond", "seed")}, "steps": int(steps),
         "loss": loss}
        for row in rows for steps, loss in row["losses"].items()
    ]  # fmt: skip
    both = [one for one in flat if one["bond"]]
    return {
        "points": bounded(means(flat, BY, ("loss",)), ("loss",)),
        "differences": differences(both, BY, ("loss",), {"method": "low rank"}),
        "against_whole": differences(flat, BY, ("loss",), {"method": "whole", "bond": 0}),
        "sizes": [row for row in rows if row["seed"] == 0],
    }
