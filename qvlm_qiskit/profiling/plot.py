"""A profile as a picture: where the time of a step goes."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from qvlm_qiskit.basics.files import check_plot as check_plot
from qvlm_qiskit.profiling.components import COMPONENTS
from qvlm_qiskit.profiling.profile import KINDS, STEP, Profile

COLOURS = {"quantum": "#1b4f9c", "twin": "#c2571a", "plain": "#7a7a7a"}


def plot(profile: Profile, path: Path) -> None:
    """Bars for every part and the whole step, three models side by side, on a logarithmic axis.

    Args:
        profile: Measured.
        path: Of the picture, see `check_plot`.
    """
    trained = not math.isnan(profile.costs["quantum"][STEP].both)
    parts = [p for p in (*COMPONENTS, STEP) if any(p in costs for costs in profile.costs.values())]
    style = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(8.4, 0.55 * len(parts) + 1.2), layout="constrained")
        axes = figure.subplots()
        for number, kind in enumerate(KINDS):
            costs = profile.costs[kind]
            there = [(y, costs[part]) for y, part in enumerate(parts) if part in costs]
            axes.barh(
                [y + 0.27 * (number - 1) for y, _ in there],
                [cost.both if trained else cost.forward for _, cost in there],
                height=0.25, color=COLOURS[kind], label=kind,
            )  # fmt: skip
        axes.set_yticks(range(len(parts)), parts)
        axes.invert_yaxis()
        what = "forward + backward" if trained else "forward"
        about = profile.about
        axes.set(
            xscale="log", xlabel=f"{what} of one step, ms",
            title=f"Recipe {about['recipe']}, batch of {about['batch_size']}, "
            f"{about['threads']} thread(s)",
        )  # fmt: skip
        axes.grid(axis="x", alpha=0.25)
        axes.legend(frameon=False)
        figure.savefig(path, dpi=150)
