"""Accuracy and errors over the dates of calibrations, as SVG text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from qvlm_qiskit.studies.reports.plots import COLOURS, LINES, STYLE, as_svg, listed, reach

SPREAD = 0.18
"""How far the techniques of one calibration stand apart, in steps between calibrations."""


def drift_plot(points: Sequence[Mapping[str, Any]], exact: float | None) -> str:
    """Accuracy above, RMS error of ⟨Z⟩ of the worst block below, over the calibrations' dates.

    Args:
        points: As the summary has them.
        exact: Accuracy without noise and shots.
    """
    techniques = list(dict.fromkeys(point["mitigation"] for point in points))
    names = list(dict.fromkeys(_name(point) for point in points))
    palette = [COLOURS["sampled"], COLOURS["mitigated"], *LINES]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 5.6), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        if exact is not None:
            above.axhline(100 * exact, color=COLOURS["exact"], linewidth=1, label="exact")
        for number, technique in enumerate(techniques):
            of = [point for point in points if point["mitigation"] == technique]
            aside = SPREAD * (number - (len(techniques) - 1) / 2)
            places = [names.index(_name(point)) + aside for point in of]
            for axes, name, factor in ((above, "accuracy", 100), (below, "rms", 1)):
                means = [factor * point[name]["mean"] for point in of]
                spread = [reach(point[name], factor) for point in of]
                axes.errorbar(places, means, yerr=list(zip(*spread, strict=True)), fmt="o",
                              color=palette[number % len(palette)], capsize=2, markersize=4,
                              label=technique)  # fmt: skip
        above.set_ylabel("exact match, %")
        above.legend(frameon=False, fontsize=8)
        below.set_ylabel("RMS error of ⟨Z⟩, worst block")
        below.set_xlabel("calibrations, the oldest first (date in UTC)")
        below.set_xticks(
            range(len(names)), names, rotation=90, fontsize=8 if len(names) < 30 else 6
        )
        pairs = [
            (f"{_name(point)} {point['mitigation']}", 100 * point["accuracy"]["mean"])
            for point in points
        ]
        return as_svg(figure, listed("Exact match in percent", pairs, ".1f"))


def _name(point: Mapping[str, Any]) -> str:
    return f"{point['device']} {point['calibrated_utc'][:10]}"
