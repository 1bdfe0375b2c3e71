"""The plots of the blocks' table, as SVG text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from qvlm_qiskit.studies.reports.plots import COLOURS, STYLE, as_svg, listed

Block = Mapping[str, Any]


def differences_plot(blocks: Sequence[Block], kind: str, seen: Mapping[str, float]) -> str:
    """Differences of accuracy from one kind with their intervals, a line for each block.

    Args:
        blocks: As the summary has them.
        kind: What the quantum blocks are compared with.
        seen: How many intervals there are, and how many would miss 0 by chance.
    """
    known = [one for one in blocks if one["differences"][kind]["accuracy"] is not None]
    other = "the classical twin" if kind == "classical" else f"the {kind} block"
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 0.32 * len(known) + 1.3), layout="constrained")
        axes = figure.subplots()
        axes.axvline(0, color="black", linewidth=1)
        for y, block in enumerate(known):
            one = block["differences"][kind]["accuracy"]
            mean = 100 * one["mean"]
            has = one["low"] is not None
            low, high = (100 * one[end] if has else mean for end in ("low", "high"))
            colour = COLOURS["exact"] if has and not low <= 0 <= high else COLOURS["baseline"]
            axes.errorbar(
                mean, y, xerr=[[mean - low], [high - mean]], marker="o", color=colour, capsize=3
            )
        axes.set_yticks(range(len(known)), [one["block"] for one in known])
        axes.invert_yaxis()
        axes.set_xlabel(
            f"exact match, block less {other}, percentage points\n"
            f"95 % intervals (grey: holds 0; {seen['by_chance']:.1f} would not by chance)"
        )
        pairs = [(o["block"], 100 * o["differences"][kind]["accuracy"]["mean"]) for o in known]
        return as_svg(figure, listed(f"Differences of exact match from {other}", pairs, "+.1f"))


def accuracy_against_seconds(blocks: Sequence[Block]) -> str:
    """Accuracy against seconds on the machine, a point for each block; nothing without seconds."""
    known = [one for one in blocks if one["machine"] and one["machine"]["qpu_seconds"]]
    if not known:
        return ""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 4.2), layout="constrained")
        axes = figure.subplots()
        for one in known:
            found = one["kinds"]["quantum"]["accuracy"]
            x, y = one["machine"]["qpu_seconds"], 100 * found["mean"]
            low, high = (100 * found[end] for end in ("low", "high"))
            axes.errorbar(x, y, yerr=[[y - low], [high - y]], marker="o", color=COLOURS["exact"],
                          capsize=2)  # fmt: skip
            axes.annotate(one["block"], (x, y), xytext=(5, 4), textcoords="offset points",
                          fontsize=7)  # fmt: skip
        axes.set(xscale="log", xlabel="seconds of the machine for 1,000 samples (estimated)")
        axes.set_ylabel("exact match without noise, %, 95 % interval")
        pairs = [(one["block"], one["machine"]["qpu_seconds"]) for one in known]
        return as_svg(figure, listed("Seconds of the machine for 1,000 samples", pairs, ".0f"))
