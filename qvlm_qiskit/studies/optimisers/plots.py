"""Loss and accuracy against circuits, as SVG text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qvlm_qiskit.studies.reports.plots import LINES, STYLE, as_svg, listed

STYLES = ("-", "--")
"""Whole lines for optimisers that ask for losses alone, broken ones for those with gradients."""
PANELS = (("loss", "training loss"), ("accuracy", "test accuracy"))


def curves_plot(points: Sequence[Mapping[str, Any]], with_gradients: frozenset[str]) -> str:
    """Training loss and test accuracy of every optimiser over the circuits that it has spent.

    Args:
        points: Of one data set, as the summary has them.
        with_gradients: Names of optimisers that ask for gradients.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 4.2), layout="constrained")
        axes = figure.subplots(1, 2)
        for number, point in enumerate(points):
            style = STYLES[point["optimiser"] in with_gradients]
            for one, (name, label) in zip(axes, PANELS, strict=True):
                _line(one, point, name, (LINES[number % len(LINES)], style))
                one.set(xscale="log", xlabel="circuits", ylabel=label)
        axes[0].set_yscale("log")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5,
                      frameon=False, fontsize=8)  # fmt: skip
        pairs = [(one["optimiser"], one["curve"]["loss"][-1]["mean"]) for one in points]
        return as_svg(figure, listed("Training loss after all circuits", pairs, ".3f"))


def _line(axes: Axes, point: Mapping[str, Any], name: str, look: tuple[Any, str]) -> None:
    found, circuits = point["curve"][name], point["curve"]["circuits"]
    colour, style = look
    axes.plot(circuits, [one["mean"] for one in found], linestyle=style, color=colour,
              marker=".", markersize=3, linewidth=1.3, label=point["optimiser"])  # fmt: skip
    if found[0]["low"] is not None:
        low, high = ([one[end] for one in found] for end in ("low", "high"))
        if name == "loss":  # which is positive, and drawn by its logarithm
            low = [max(one, 1e-2) for one in low]
        axes.fill_between(circuits, low, high, color=colour, alpha=0.07, linewidth=0)
