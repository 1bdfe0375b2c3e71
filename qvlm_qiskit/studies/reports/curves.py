"""Lines with intervals, a panel for each group, as SVG text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from qvlm_qiskit.studies.reports.plots import LINES, STYLE, as_svg, listed, reach


@dataclass(frozen=True)
class Axis:
    """What an axis shows.

    Attributes:
        column: Of the points; that of y holds an interval (``mean``, ``low``, ``high``).
        label: With the unit.
        log: Whether its scale is logarithmic.
    """

    column: str
    label: str
    log: bool = False


def curves_plot(
    points: Sequence[Mapping[str, Any]], x: Axis, y: Axis, lines: str, panels: str = ""
) -> str:
    """One line with error bars for each value of a column; points alone where x is a name.

    Args:
        points: Groups with their intervals, as ``means`` gives them.
        x: Numbers, or names that are shown in order of appearance.
        y: Intervals.
        lines: Column whose values have a line each.
        panels: Column whose values have a panel each; by default one panel.
    """
    groups = list(dict.fromkeys(point[panels] if panels else "" for point in points))
    names = list(dict.fromkeys(point[lines] for point in points))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.4), layout="constrained")
        every = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
        for axes, group in zip(every, groups, strict=True):
            own = [one for one in points if not panels or one[panels] == group]
            _lines(axes, own, x, y, lines, names)
            axes.set(xlabel=x.label, title=str(group))
            if all(isinstance(one[x.column], int) for one in points) and not x.log:
                axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        every[0].set_ylabel(y.label)
        if lines != panels:
            every[-1].legend(frameon=False, fontsize=8)
        pairs = [
            (f"{one[panels] if panels else ''} {one[lines]} {one[x.column]}".strip(),
             one[y.column]["mean"])
            for one in points
        ]  # fmt: skip
        return as_svg(figure, listed(y.label, pairs, ".3g"))


def _lines(
    axes: Axes,
    points: Sequence[Mapping[str, Any]],
    x: Axis,
    y: Axis,
    lines: str,
    names: Sequence[Any],
) -> None:
    for number, name in enumerate(names):
        own = [one for one in points if one[lines] == name]
        found = [one[y.column] for one in own]
        if not own:
            continue
        named = isinstance(own[0][x.column], str)
        axes.errorbar(
            [one[x.column] for one in own],
            [one["mean"] for one in found],
            yerr=list(zip(*(reach(one, log=y.log) for one in found), strict=True)),
            marker="o",
            markersize=4,
            capsize=2,
            linestyle="none" if named else "-",
            color=LINES[number % len(LINES)],
            label=str(name),
        )
    if any(isinstance(one[x.column], str) for one in points):
        axes.tick_params(axis="x", labelrotation=45)
    if x.log:
        axes.set_xscale("log")
    if y.log:
        axes.set_yscale("log")
