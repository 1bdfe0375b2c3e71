"""Differences and losses of a ladder, as SVG text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from qvlm_qiskit.studies.reports.plots import COLOURS, LINES, STYLE, as_svg, listed


def ladder_plot(points: Sequence[Mapping[str, Any]]) -> str:
    """Test accuracies with 95 % intervals, and training losses over the epochs."""
    names = [point["variant"] for point in points]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        for y, point in enumerate(points):
            found = point["accuracy"]
            spread = [
                [100 * (found["mean"] - found["low"])],
                [100 * (found["high"] - found["mean"])],
            ]
            left.errorbar(100 * found["mean"], y, xerr=spread, marker="o", capsize=3,
                          color=LINES[y % len(LINES)])  # fmt: skip
            epochs = range(1, len(point["losses"]) + 1)
            right.plot(epochs, point["losses"], color=LINES[y % len(LINES)], label=point["variant"])
        left.set_yticks(range(len(names)), names)
        left.invert_yaxis()
        left.set_xlabel("test accuracy, %, 95 % interval")
        right.set(xlabel="epoch", ylabel="training loss (nats)", yscale="log")
        right.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
        pairs = [(point["variant"], 100 * point["accuracy"]["mean"]) for point in points]
        return as_svg(figure, listed("Test accuracy in percent", pairs, ".1f"))


def differences_plot(differences: Sequence[Mapping[str, Any]]) -> str:
    """Paired differences with 95 % intervals, one line each; grey ones hold 0."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 0.34 * len(differences) + 0.9), layout="constrained")
        axes = figure.subplots()
        axes.axvline(0, color="black", linewidth=1)
        for y, one in enumerate(differences):
            found = one["difference"]
            low = found["mean"] if found["low"] is None else found["low"]
            high = found["mean"] if found["high"] is None else found["high"]
            seen = not low <= 0 <= high
            spread = [[100 * (found["mean"] - low)], [100 * (high - found["mean"])]]
            axes.errorbar(100 * found["mean"], y, xerr=spread, marker="o", capsize=3,
                          color=COLOURS["exact" if seen else "baseline"])  # fmt: skip
        axes.set_yticks(range(len(differences)), [one["what"] for one in differences])
        axes.invert_yaxis()
        axes.set_xlabel("points of test accuracy, 95 % interval (grey: holds 0)")
        pairs = [(one["what"], 100 * one["difference"]["mean"]) for one in differences]
        return as_svg(figure, listed("Differences in points", pairs, "+.2f"))
