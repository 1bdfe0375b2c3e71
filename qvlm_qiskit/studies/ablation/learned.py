"""What a training left beside its answers: losses, gates, and what its parts cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.ablation.options import AblationOptions

Row = Mapping[str, Any]


def learned(path: Path) -> dict[str, Any]:
    """Steps, losses, and the gates' values at them, of a run folder."""
    history = Run.open(path).history()
    gates = {name.removeprefix("gate_"): column for name, column in history.items()
             if name.startswith("gate_")}  # fmt: skip
    return {"steps": history["step"], "losses": history["loss"], "gates": gates}


def cost_of_parts(options: AblationOptions) -> dict[str, Any]:
    """What each part of a step takes, of the quantum model, its twin and the plain one."""
    from qvlm_qiskit.profiling import profile

    return profile(options.training("quantum", 0), rounds=options.rounds).as_dict()


def trajectories(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Gates over steps, by variant and block: the mean over seeds, the least and the most.

    Args:
        rows: With ``steps`` and ``gates``, one per seed and variant, evaluated exactly.
    """
    found = []
    for variant in dict.fromkeys(row["variant"] for row in rows):
        own = [row for row in rows if row["variant"] == variant and row.get("gates")]
        for block in own[0]["gates"] if own else ():
            values = np.array([row["gates"][block] for row in own])
            found.append(
                {
                    "variant": variant,
                    "block": block,
                    "steps": own[0]["steps"],
                    "mean": values.mean(0).tolist(),
                    "low": values.min(0).tolist(),
                    "high": values.max(0).tolist(),
                    "seeds": len(own),
                }
            )
    return found
