"""``results.json`` of a noise study → plots and a section of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qvlm_qiskit.studies.intervals import verdict
from qvlm_qiskit.studies.noise.printed import varying
from qvlm_qiskit.studies.reports.plots import STYLE, as_svg, block_name, listed

FLAT = ("#222222", "#999999", "#1b4f9c", "#c2571a", "#2f7d4f")
PALETTE = ("#1b4f9c", "#c2571a", "#2f7d4f", "#7b3fa0", "#a3333d", "#5a6675")


def noise_section(
    results: Mapping[str, Any], flipped: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What ``noise_section.html.j2`` shows of a study: its results, plots and words for them.

    Args:
        results: What ``results.json`` holds, also of an older release.
        flipped: The answers that noise flips, with their pictures; None leaves them out.
    """
    points = [{**OLDER, **point} for point in results["points"]]
    noisy = [row for row in results["rows"] if row["strength"] is not None]
    differences = [{**OLDER, **entry} for entry in results["differences"]]
    kinds = results.get("kinds", [])
    return {
        **{name: results[name] for name in ("grid", "rows", "gates")},
        "points": points,
        "differences": differences,
        "kinds": kinds,
        "varying": varying(points),
        "devices": list(dict.fromkeys(row["device"] for row in noisy)),
        "shots": sorted({row["shots"] for row in noisy}),
        "runs": list(dict.fromkeys(row["run"] for row in results["rows"])),
        "seeds": sorted({row["seed"] for row in results["rows"]}),
        "accuracy_svg": accuracy_plot(points),
        "loss_svg": loss_plot(points),
        "error_svg": error_plot(points),
        "kinds_svg": kinds_plot(kinds) if kinds else "",
        "verdicts": [verdict(entry["accuracy"]) for entry in differences],
        "flipped": flipped,
    }


OLDER = {"device": None, "shots": None, "error_kinds": None, "errors": "–", "flips": None}
"""What points and differences of older releases don't say."""


def accuracy_plot(points: Sequence[Mapping[str, Any]]) -> str:
    """Accuracy against the noise strength, one line per kind of model and mitigation."""
    return _against_strength(points, lambda p: p["accuracy"], "exact-match accuracy", top=1.02)


def loss_plot(points: Sequence[Mapping[str, Any]]) -> str:
    """Loss against the noise strength."""
    return _against_strength(points, lambda p: p["loss"], "loss (nats per token)")


def error_plot(points: Sequence[Mapping[str, Any]]) -> str:
    """RMS error of every block's expectation values against the noise strength."""
    points = _of_all_errors(points)
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
    points = _of_all_errors(points)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.8), layout="constrained")
        axes = figure.subplots()
        _lines(axes, [p for p in points if p["strength"] is not None], pick)
        flat = [p for p in points if p["strength"] is None]
        for colour, point in zip(FLAT, flat, strict=False):
            entry = pick(point)
            axes.axhline(entry["mean"], color=colour, linestyle="--", label=_flat_name(point))
            if entry["low"] is not None:
                axes.axhspan(entry["low"], entry["high"], color=colour, alpha=0.12, linewidth=0)
        axes.set_ylabel(label)
        axes.set_ylim(0, top)
        axes.legend(frameon=False, fontsize=8)
        return as_svg(figure, _said(points, label, pick, ".3f"))


def kinds_plot(kinds: Sequence[Mapping[str, Any]]) -> str:
    """Changes of accuracy by kinds of error, from no noise and from all errors."""
    panels = (("from_none", "change from no noise"), ("from_all", "change from all errors"))
    choices = list(dict.fromkeys(one["errors"] for place in kinds for one in place["choices"]))
    with matplotlib.rc_context(STYLE):
        figure = Figure(
            figsize=(8.4, 1.8 + 0.3 * len(choices) + 0.1 * len(kinds)), layout="constrained"
        )
        drawn = figure.subplots(1, 2, sharey=True)
        said = []
        for axes, (name, label) in zip(drawn, panels, strict=True):
            for number, place in enumerate(kinds):
                shown = [one for one in place["choices"] if one[name] is not None]
                aside = 0.6 * ((number + 0.5) / len(kinds) - 0.5)
                heights = [choices.index(one["errors"]) + aside for one in shown]
                entries = [one[name]["accuracy"] for one in shown]
                means = [100 * one["mean"] for one in entries]
                axes.errorbar(
                    means, heights, xerr=_reach(entries, 100), fmt="o", capsize=3, markersize=4,
                    color=PALETTE[number % len(PALETTE)], label=place_name(place),
                )  # fmt: skip
                pairs = zip((one["errors"] for one in shown), means, strict=True)
                said.append(listed(f"{place_name(place)}, {label}", pairs, "+.1f"))
            axes.axvline(0, color="#222222", linewidth=0.8)
            axes.set_xlabel(f"{label}, points of accuracy")
        drawn[0].set_yticks(range(len(choices)), choices, fontsize=8)
        drawn[0].invert_yaxis()
        if len(kinds) > 1:
            handles, labels = drawn[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8,
                          frameon=False)  # fmt: skip
        return as_svg(figure, " ".join(f"{one}." for one in said))


def place_name(place: Mapping[str, Any]) -> str:
    """A model on a machine, for a legend."""
    technique = "" if place["mitigation"] == "none" else f", {place['mitigation']}"
    device = str(place["device"]).removeprefix("noisy:")
    shots = f", {place['shots']:,} shots"
    return f"{place['kind']}, {device} × {place['strength']:g}{shots}{technique}"


def _reach(entries: Sequence[Mapping[str, Any]], factor: float = 1) -> list[list[float]]:
    """How far intervals reach below and above their means; 0 where there are none."""
    return [
        [0.0 if e["low"] is None else factor * (e["mean"] - e["low"]) for e in entries],
        [0.0 if e["high"] is None else factor * (e["high"] - e["mean"]) for e in entries],
    ]


def _of_all_errors(points: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [{**OLDER, **point} for point in points if point.get("error_kinds") in (None, "all")]


def _flat_name(point: Mapping[str, Any]) -> str:
    """A model without noise: one that has no circuits, or exactly."""
    return str(point["kind"]) + ("" if point["kind"] == "classical blocks" else ", exact values")


def _said(points: Sequence[Mapping[str, Any]], label: str, pick: Any, form: str) -> str:
    """The means of a plot in words, line by line."""
    lines: dict[str, list[tuple[str, float]]] = {}
    shown = varying(points)
    for point in points:
        name = ", ".join(filter(None, (point["kind"], point["mitigation"], *_apart(point, shown))))
        strength = "" if point["strength"] is None else f"× {point['strength']:g}"
        lines.setdefault(name, []).append((strength, pick(point)["mean"]))
    texts = (listed(name, pairs, form) for name, pairs in lines.items())
    return f"{label} by noise strength. {'; '.join(texts)}."


def _apart(point: Mapping[str, Any], shown: Sequence[str]) -> list[str]:
    """What tells a point from those of other devices or shots, where there are some."""
    if point["strength"] is None:
        return []
    device = [str(point["device"]).removeprefix("noisy:")] if "device" in shown else []
    return device + ([f"{point['shots']:,} shots"] if "shots" in shown else [])


def _lines(axes: Axes, points: Sequence[Mapping[str, Any]], pick: Any) -> None:
    shown = varying(points)
    series: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for point in points:
        name = ", ".join((point["kind"], *_apart(point, shown)))
        series.setdefault((name, point["mitigation"]), []).append(point)
    kinds = list(dict.fromkeys(kind for kind, _ in series))
    techniques = list(dict.fromkeys(mitigation for _, mitigation in series))
    width = 0.012 * max((p["strength"] for p in points), default=1.0)
    for number, ((kind, mitigation), found) in enumerate(series.items()):
        found = sorted(found, key=lambda p: p["strength"])
        entries = [pick(p) for p in found]
        shift = (number - (len(series) - 1) / 2) * width  # intervals side by side
        axes.errorbar(
            [p["strength"] + shift for p in found],
            [e["mean"] for e in entries],
            yerr=_reach(entries),
            marker="osD^v"[techniques.index(mitigation) % 5],
            linestyle=("-", "--", ":", "-.")[techniques.index(mitigation) % 4],
            color=PALETTE[kinds.index(kind) % len(PALETTE)],
            capsize=3,
            label=kind if mitigation == "none" else f"{kind}, {mitigation}",
        )
    axes.set_xlabel("noise strength (1 = device's calibration)")
