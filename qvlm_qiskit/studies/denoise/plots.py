"""Error and similarity over the noise, as SVG text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from qvlm_qiskit.studies.reports.plots import COLOURS, LINES, STYLE, as_svg, listed, reach

SPREAD = 0.006
"""How far the kinds of one noise stand apart, so that their intervals can be told apart."""
LABELS = {"mse": "mean squared error", "ssim": "structural similarity"}


def denoise_plot(points: Sequence[Mapping[str, Any]]) -> str:
    """Mean squared error and structural similarity over the noise, with intervals over seeds.

    Args:
        points: As the summary has them.
    """
    kinds = list(dict.fromkeys(point["kind"] for point in points))
    palette = (COLOURS["baseline"], *LINES)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.6), layout="constrained")
        panels = figure.subplots(1, len(LABELS))
        for number, kind in enumerate(kinds):
            of = [point for point in points if point["kind"] == kind]
            places = [one["sigma"] + SPREAD * (number - (len(kinds) - 1) / 2) for one in of]
            for axes, name in zip(panels, LABELS, strict=True):
                spread = [reach(one[name]) for one in of]
                axes.errorbar(
                    places, [one[name]["mean"] for one in of], label=kind, capsize=2, marker="o",
                    yerr=list(zip(*spread, strict=True)), color=palette[number % len(palette)],
                    markersize=3, linewidth=1, linestyle="--" if kind == kinds[0] else "-",
                )  # fmt: skip
        for axes, label in zip(panels, LABELS.values(), strict=True):
            axes.set(xlabel="standard deviation of the noise", ylabel=label)
        panels[0].set_yscale("log")
        panels[1].legend(frameon=False, fontsize=8)
        pairs = [(f"{one['kind']} at {one['sigma']:g}", one["mse"]["mean"]) for one in points]
        return as_svg(figure, listed("Mean squared error", pairs, ".4f"))
