"""The plots of an ablation, as SVG text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from qvlm_qiskit.studies.reports.plots import COLOURS, LINES, STYLE, as_svg, listed


def effects_plot(differences: Sequence[Mapping[str, Any]], label: str) -> str:
    """Differences from the quantum model with their intervals, one line each.

    Args:
        differences: Of one metric, as a comparison's summary has them.
        label: The metric.
    """
    share = differences[0]["unit"] == "share"
    factor = 100 if share else 1
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 0.36 * len(differences) + 1.0), layout="constrained")
        axes = figure.subplots()
        axes.axvline(0, color="black", linewidth=1)
        for y, one in enumerate(differences):
            mean = factor * one["mean"]
            known = one["low"] is not None
            low, high = (factor * one[end] if known else mean for end in ("low", "high"))
            seen = known and not low <= 0 <= high
            colour = COLOURS["exact"] if seen else COLOURS["baseline"]
            axes.errorbar(
                mean, y, xerr=[[mean - low], [high - mean]], marker="o", color=colour, capsize=3
            )
        axes.set_yticks(range(len(differences)), [one["what"] for one in differences])
        axes.invert_yaxis()
        unit = ", percentage points" if share else ""
        axes.set_xlabel(f"difference of {label}{unit}, 95 % interval (grey: holds 0)")
        pairs = [(one["what"], factor * one["mean"]) for one in differences]
        return as_svg(figure, listed(f"Differences of {label}", pairs, "+.2f"))


def gates_plot(found: Sequence[Mapping[str, Any]]) -> str:
    """Gates over training steps, a panel for each block: means and the range over seeds."""
    blocks = list(dict.fromkeys(one["block"] for one in found))
    variants = list(dict.fromkeys(one["variant"] for one in found))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.4), layout="constrained")
        panels = figure.subplots(1, len(blocks), sharey=True, squeeze=False)[0]
        for axes, block in zip(panels, blocks, strict=True):
            for one in (o for o in found if o["block"] == block):
                colour = LINES[variants.index(one["variant"]) % len(LINES)]
                axes.plot(one["steps"], one["mean"], color=colour, label=one["variant"])
                axes.fill_between(one["steps"], one["low"], one["high"], color=colour, alpha=0.12)
            axes.set(xlabel="training step", title=block.upper())
            axes.legend(frameon=False, fontsize=7)
        panels[0].set_ylabel("gate γ (share of the block)")
        ends = [(f"{one['variant']} {one['block']}", one["mean"][-1]) for one in found]
        return as_svg(figure, listed("Gates at the last step", ends, ".3f"))
