"""The report's plots, as SVG text."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

COLOURS = {
    "exact": "#1b4f9c",
    "sampled": "#c2571a",
    "mitigated": "#2f7d4f",
    "baseline": "#7a7a7a",
    "runtime": "#7b3fa0",
}
LINES: Sequence[Any] = matplotlib.colormaps["tab10"].colors  # type: ignore[attr-defined]
"""Of lines that have no colour of their own, taken in turn."""
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "svg.hashsalt": "qvlm",
    "svg.fonttype": "path",
}


def as_svg(figure: Figure, alternative: str) -> str:
    """A figure as SVG text, the same for the same numbers.

    Args:
        figure: The plot.
        alternative: What it shows, for those who don't see it.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    said = f'<svg role="img" aria-label="{escape(alternative, quote=True)}" '
    return text[text.index("<svg") :].replace("<svg ", said, 1)


def reach(
    found: Mapping[str, Any], factor: float = 1.0, *, log: bool = False
) -> tuple[float, float]:
    """How far an interval goes below and above its mean; not at all where there is none.

    Args:
        found: With ``mean``, ``low`` and ``high``.
        factor: What it is multiplied by.
        log: Whether the axis is logarithmic, where it ends above zero.
    """
    if found["low"] is None:
        return 0.0, 0.0
    low = max(found["low"], 0.1 * found["mean"]) if log else found["low"]
    return factor * (found["mean"] - low), factor * (found["high"] - found["mean"])


def listed(label: str, pairs: Iterable[tuple[Any, float]], form: str) -> str:
    """A line of a plot in words: "label: 0 95.0%, 1 94.0%"."""
    return f"{label}: " + ", ".join(f"{x} {y:{form}}" for x, y in pairs)


def training_plot(history: Mapping[str, Sequence[float]]) -> str:
    """Losses and gate values against the training step.

    Args:
        history: Columns of a training; of the losses on validation samples where there are some.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.0), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot(history["step"], history["loss"], color=COLOURS["exact"], label="training")
        if "held_out_loss" in history:
            left.plot(
                history["held_out_step"], history["held_out_loss"], color=COLOURS["sampled"],
                marker="o", markersize=3, label="validation",
            )  # fmt: skip
            left.legend(frameon=False)
        left.set(xlabel="training step", ylabel="loss (nats per token)", yscale="log")
        left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        left.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        left.yaxis.set_minor_formatter(NullFormatter())
        gates = [name for name in history if name.startswith("gate_")]
        for name, colour in zip(gates, ("#1b4f9c", "#c2571a", "#2f7d4f"), strict=False):
            label = name.removeprefix("gate_").upper()
            right.plot(history["step"], history[name], label=label, color=colour)
        right.set(xlabel="training step", ylabel="gate γ (share of the block)", ylim=(0, 1))
        if gates:
            right.legend(frameon=False)
        ends = [
            listed(name, [("first", column[0]), ("last", column[-1])], ".3g")
            for name, column in history.items()
            if column
        ]
        return as_svg(figure, f"Training. {'; '.join(ends)}.")


def experts_plot(history: Mapping[str, Sequence[float]]) -> str:
    """Each expert's share of its layer's tokens against the training step, a panel for each layer.

    Args:
        history: Columns of a training, with ``load_layer<l>_expert<e>``.

    Returns:
        SVG; nothing for a model without experts.
    """
    layers: dict[str, list[str]] = {}
    for name in history:
        if name.startswith("load_"):
            layer, _, expert = name.removeprefix("load_").partition("_")
            layers.setdefault(layer, []).append(expert)
    if not layers:
        return ""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 2.6), layout="constrained")
        panels = figure.subplots(1, len(layers), sharey=True, squeeze=False)[0]
        ends = []
        for axes, (layer, experts) in zip(panels, layers.items(), strict=True):
            columns = [history[f"load_{layer}_{expert}"] for expert in experts]
            names = [expert.replace("expert", "expert ") for expert in experts]
            axes.stackplot(history["step"], columns, labels=names, alpha=0.8)
            axes.set(xlabel="training step", title=layer.replace("layer", "layer "), ylim=(0, 1))
            ends += [(f"{layer} {e}", c[-1]) for e, c in zip(experts, columns, strict=True)]
        panels[0].set_ylabel("share of tokens")
        panels[-1].legend(frameon=False, fontsize=7, loc="upper right")
        return as_svg(figure, listed("Share of tokens at the last step", ends, ".1%"))


def accuracy_plot(bars: Sequence[tuple[str, Mapping[str, Any], str]]) -> str:
    """Accuracies with 95 % intervals: (label, record, colour name) from top to bottom."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 0.42 * len(bars) + 0.9), layout="constrained")
        axes = figure.subplots()
        for y, (_, record, colour) in enumerate(bars):
            value = record["accuracy"]
            spread = [[value - record["low"]], [record["high"] - value]]
            axes.barh(y, value, color=COLOURS[colour], alpha=0.75, height=0.62)
            axes.errorbar(value, y, xerr=spread, color="black", capsize=3, linewidth=1)
        axes.set_yticks(range(len(bars)), [label for label, _, _ in bars])
        axes.invert_yaxis()
        axes.set(xlabel="exact-match accuracy, 95 % interval", xlim=(0, 1))
        pairs = [(label, record["accuracy"]) for label, record, _ in bars]
        return as_svg(figure, listed("Exact-match accuracy", pairs, ".1%"))


def sweep_plot(points: Sequence[Mapping[str, Any]], exact: float) -> str:
    """Accuracy and expectation error against the noise factor."""
    scales = [point["scale"] for point in points]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        values = [point["accuracy"] for point in points]
        spread = [
            [v - p["low"] for v, p in zip(values, points, strict=True)],
            [p["high"] - v for v, p in zip(values, points, strict=True)],
        ]
        left.errorbar(
            scales, values, yerr=spread, marker="o", capsize=3, color=COLOURS["sampled"],
            label="shots under noise",
        )  # fmt: skip
        left.axhline(exact, color=COLOURS["exact"], linestyle="--", label="exact, same questions")
        left.set(xlabel="noise strength (1 = device's calibration)", ylabel="accuracy")
        left.set_ylim(0, 1.02)
        left.legend(frameon=False, loc="lower left")
        _error_lines(right, scales, points)
        pairs = list(zip((f"× {s:g}" for s in scales), values, strict=True))
        return as_svg(figure, listed("Accuracy by noise strength", pairs, ".1%"))


def _error_lines(axes: Axes, scales: Sequence[float], points: Sequence[Mapping[str, Any]]) -> None:
    blocks = [entry["block"] for entry in points[0]["expectations"]] if points else []
    for index, block in enumerate(blocks):
        errors = [point["expectations"][index]["rms"] for point in points]
        axes.plot(scales, errors, marker="o", label=block_name(block))
    axes.set(xlabel="noise strength (1 = device's calibration)", ylabel="RMS error of ⟨Z⟩")
    axes.set_ylim(bottom=0)
    if blocks:
        axes.legend(frameon=False)


def block_name(module: str) -> str:
    """A block's short name from its module path ("…qcnn.core.layer" → "QCNN")."""
    parts = [part for part in module.split(".") if part not in ("core", "layer")]
    return parts[-1].upper()
