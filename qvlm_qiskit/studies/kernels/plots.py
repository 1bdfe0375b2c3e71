"""The plots of a study of kernels, as SVG text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from qvlm_qiskit.studies.reports.plots import COLOURS, LINES, STYLE, as_svg, listed

Entry = Mapping[str, Any]


def bars_plot(
    entries: Sequence[Entry], number: str, label: str, factor: float = 1.0, form: str = ".2f"
) -> str:
    """A panel for each set, a line for each model: means with their intervals.

    Args:
        entries: With "subject" and "model".
        number: The interval that is drawn.
        label: Of its axis.
        factor: It is multiplied by.
        form: Of a mean, in words.
    """
    subjects = list(dict.fromkeys(one["subject"] for one in entries))
    models = list(dict.fromkeys(one["model"] for one in entries))
    with matplotlib.rc_context(STYLE):
        size = (8.4, len(subjects) * (0.2 * len(models) + 0.5) + 0.5)
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(subjects), 1, sharex=True, squeeze=False)[:, 0]
        for axes, subject in zip(panels, subjects, strict=True):
            own = [one for one in entries if one["subject"] == subject]
            for one in own:
                y = models.index(one["model"])
                mean, reach = _with_reach(one[number], factor)
                axes.errorbar(
                    mean, y, xerr=reach, fmt="o", capsize=2, markersize=4, color=_colour(one)
                )
            axes.set_yticks(range(len(models)), models, fontsize=8)
            axes.set_ylim(len(models) - 0.5, -0.5)
            axes.set_title(subject, fontsize=9, loc="left")
        panels[-1].set_xlabel(label)
        pairs = [(f"{o['subject']} {o['model']}", factor * o[number]["mean"]) for o in entries]
        return as_svg(figure, listed(label, pairs, form))


def concentration_plot(entries: Sequence[Entry]) -> str:
    """Mean and variance of K off the diagonal against qubits, in logarithms of two."""
    models = list(dict.fromkeys(one["model"] for one in entries))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.6), layout="constrained")
        for axes, name in zip(figure.subplots(1, 2), ("mean", "variance"), strict=True):
            for number, model in enumerate(models):
                own = [one for one in entries if one["model"] == model]
                places = [one["size"] for one in own]
                axes.plot(
                    places, [one[name]["mean"] for one in own],
                    marker="o", markersize=4, color=LINES[number], label=model,
                )  # fmt: skip
                if own[0][name]["low"] is not None:
                    ends = ([max(one[name][end], 1e-12) for one in own] for end in ("low", "high"))
                    axes.fill_between(places, *ends, color=LINES[number], alpha=0.15)
            random = dict(sorted((one["size"], one["random"][name]) for one in entries))
            axes.plot(
                list(random), list(random.values()), color="black", linestyle=":",
                label="random states",
            )  # fmt: skip
            axes.set_yscale("log", base=2)
            axes.set(xlabel="qubits", ylabel=f"{name} of K off the diagonal")
            axes.set_xticks(list(random))
        axes.legend(frameon=False, fontsize=7)
        pairs = [(f"{o['model']} {o['size']}", o["mean"]["mean"]) for o in entries]
        return as_svg(figure, listed("Mean of K off the diagonal", pairs, ".1e"))


def rejections_plot(entries: Sequence[Entry]) -> str:
    """Shares of rejected tables against their rows, a panel for each case."""
    cases = list(dict.fromkeys(one["subject"] for one in entries))
    models = list(dict.fromkeys(one["model"] for one in entries))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.4), layout="constrained")
        panels = figure.subplots(1, len(cases), sharey=True, squeeze=False)[0]
        for axes, case in zip(panels, cases, strict=True):
            for number, model in enumerate(models):
                own = [o for o in entries if (o["subject"], o["model"]) == (case, model)]
                rates = [_with_reach(one["rejected"], 100) for one in own]
                axes.errorbar(
                    [one["size"] for one in own],
                    [mean for mean, _ in rates],
                    yerr=[[reach[end][0] for _, reach in rates] for end in (0, 1)],
                    marker="o", markersize=3, capsize=2, color=LINES[number], label=model,
                )  # fmt: skip
            dependent = next(one["dependent"] for one in entries if one["subject"] == case)
            if not dependent:
                axes.axhline(5, color="black", linestyle=":", linewidth=1)
            axes.set_title(f"{case} ({'power' if dependent else 'size'})", fontsize=8)
            axes.set_xlabel("rows")
        panels[0].set_ylabel("independence rejected, %")
        panels[0].legend(frameon=False, fontsize=6)
        pairs = [
            (f"{o['subject']} {o['model']} {o['size']}", 100 * o["rejected"]["mean"])
            for o in entries
        ]
        return as_svg(figure, listed("Independence rejected in percent", pairs, ".1f"))


def _with_reach(entry: Entry, factor: float) -> tuple[float, list[list[float]]]:
    mean = factor * entry["mean"]
    if entry["low"] is None:
        return mean, [[0.0], [0.0]]
    below, above = mean - factor * entry["low"], factor * entry["high"] - mean
    return mean, [[max(0.0, below)], [max(0.0, above)]]


def _colour(entry: Entry) -> str:
    quantum = entry["model"].partition(" ")[0]
    classical = ("rbf", "linear", "rbf-svr", "random", "tanh", "ridge")
    return COLOURS["baseline"] if quantum in classical else COLOURS["exact"]
