"""``results.json`` of a noise study → plots and a section of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qvlm_qiskit.studies.intervals import verdict
from qvlm_qiskit.studies.reports.plots import STYLE, as_svg, block_name, listed

PALETTE = ("#1b4f9c", "#c2571a", "#2f7d4f", "#7b3fa0", "#a3333d", "#5a6675")


def noise_section(results: Mapping[str, Any]) -> dict[str, Any]:
    """What ``noise_section.html.j2`` shows of a study: its results, plots and words for them."""
    return {
        **{name: results[name] for name in ("grid", "rows", "points", "differences", "gates")},
        "runs": list(dict.fromkeys(row["run"] for row in results["rows"])),
        "seeds": sorted({row["seed"] for row in results["rows"]}),
        "accuracy_svg": accuracy_plot(results["points"]),
        "loss_svg": loss_plot(results["points"]),
        "error_svg": error_plot(results["points"]),
        "verdicts": [verdict(entry["accuracy"]) for entry in results["differences"]],
    }


def accuracy_plot(points: Sequence[Mapping[str, Any]]) -> str:
    """Accuracy against the noise strength, one line per kind of model and mitigation."""
    return _against_strength(points, lambda p: p["accuracy"], "exact-match accuracy", top=1.02)


def loss_plot(points: Sequence[Mapping[str, Any]]) -> str:
    """Loss against the noise strength."""
    return _against_strength(points, lambda p: p["loss"], "loss (nats per token)")


def error_plot(points: Sequence[Mapping[str, Any]]) -> str:
    """RMS error of every block's expectation values against the noise strength."""
    blocks = sorted({block for point in points for block in point["expectations"]})
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.4), layout="constrained")
        for axes, block in zip(
            figure.subplots(1, max(1, len(blocks)), squeeze=False)[0], blocks, strict=False
        ):
            chosen = [p for p in points if block in p["expectations"]]
            _lines(axes, chosen, lambda p, b=block: p["expectations"][b]["rms"])
            axes.set(title=block_name(block), ylabel="RMS error of ⟨Z⟩")
            axes.set_ylim(bottom=0)
        if blocks:
            figure.axes[0].legend(frameon=False, fontsize=8)
        said = []
        for block in blocks:
            chosen = [p for p in points if block in p["expectations"]]
            label = f"RMS error of ⟨Z⟩, {block_name(block)}"
            said.append(_said(chosen, label, lambda p, b=block: p["expectations"][b]["rms"], ".3f"))
        return as_svg(figure, " ".join(said))


def _against_strength(
    points: Sequence[Mapping[str, Any]], pick: Any, label: str, top: float | None = None
) -> str:
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.8), layout="constrained")
        axes = figure.subplots()
        _lines(axes, [p for p in points if p["strength"] is not None], pick)
        flat = [p for p in points if p["strength"] is None]
        for colour, point in zip(("#222222", "#999999"), flat, strict=False):
            entry = pick(point)
            axes.axhline(entry["mean"], color=colour, linestyle="--", label=point["kind"])
            if entry["low"] is not None:
                axes.axhspan(entry["low"], entry["high"], color=colour, alpha=0.12, linewidth=0)
        axes.set_ylabel(label)
        axes.set_ylim(0, top)
        axes.legend(frameon=False, fontsize=8)
        return as_svg(figure, _said(points, label, pick, ".3f"))


def _said(points: Sequence[Mapping[str, Any]], label: str, pick: Any, form: str) -> str:
    """The means of a plot in words, line by line."""
    lines: dict[str, list[tuple[str, float]]] = {}
    for point in points:
        name = ", ".join(filter(None, (point["kind"], point["mitigation"])))
        strength = "" if point["strength"] is None else f"× {point['strength']:g}"
        lines.setdefault(name, []).append((strength, pick(point)["mean"]))
    shown = (listed(name, pairs, form) for name, pairs in lines.items())
    return f"{label} by noise strength. {'; '.join(shown)}."


def _lines(axes: Axes, points: Sequence[Mapping[str, Any]], pick: Any) -> None:
    series: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for point in points:
        series.setdefault((point["kind"], point["mitigation"]), []).append(point)
    kinds = list(dict.fromkeys(kind for kind, _ in series))
    techniques = list(dict.fromkeys(mitigation for _, mitigation in series))
    width = 0.012 * max((p["strength"] for p in points), default=1.0)
    for number, ((kind, mitigation), found) in enumerate(series.items()):
        found = sorted(found, key=lambda p: p["strength"])
        entries = [pick(p) for p in found]
        means = [e["mean"] for e in entries]
        spread = [
            [0.0 if e["low"] is None else e["mean"] - e["low"] for e in entries],
            [0.0 if e["high"] is None else e["high"] - e["mean"] for e in entries],
        ]
        shift = (number - (len(series) - 1) / 2) * width  # intervals side by side
        axes.errorbar(
            [p["strength"] + shift for p in found],
            means,
            yerr=spread,
            marker="osD^v"[techniques.index(mitigation) % 5],
            linestyle=("-", "--", ":", "-.")[techniques.index(mitigation) % 4],
            color=PALETTE[kinds.index(kind) % len(PALETTE)],
            capsize=3,
            label=kind if mitigation == "none" else f"{kind}, {mitigation}",
        )
    axes.set_xlabel("noise strength (1 = device's calibration)")
