"""The tables of a noise study on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qvlm_qiskit.studies.grid_study import Printed
from qvlm_qiskit.studies.noise.grid import EXACT

Point = Mapping[str, Any]
OPTIONAL = ("device", "shots", "error_kinds")
"""Columns that are shown where a study has several of them."""
HEADS = {"device": "device", "shots": ">shots", "error_kinds": "errors"}


def points_table(results: Mapping[str, Any], folder: str) -> Printed:
    """Accuracy, flipped answers and loss of every point."""
    from qvlm_qiskit.studies.reports.templates import interval

    points = results["points"]
    shown = varying(points)
    rows = [
        [
            point["kind"],
            *(_text(point, name) for name in shown),
            point["mitigation"] or "–",
            "–" if point["strength"] is None else f"{point['strength']:g}",
            interval(point["accuracy"], 100, "%", scope=False),
            flips_text(point["flips"]),
            f"{point['loss']['mean']:.3f}",
        ]
        for point in points
    ]
    one = all(point["accuracy"]["seeds"] == 1 for point in points)
    over = "the questions of one seed" if one else "seeds"
    devices = ", ".join(dict.fromkeys(p["device"] for p in points if p["device"] != EXACT))
    title = f"{folder} on {devices or EXACT}, 95 % intervals over {over}"
    heads = ("mitigation", ">strength", ">accuracy", ">lost, gained", ">loss")
    return Printed(title, ("model", *(HEADS[name] for name in shown), *heads), rows)


def kinds_table(kinds: Sequence[Mapping[str, Any]]) -> Printed:
    """What kinds of error do to accuracy, loss and ⟨Z⟩."""
    rows = []
    for place in kinds:
        for one in place["choices"]:
            rows.append(
                [
                    f"{place['kind']}, {place['device'].removeprefix('noisy:')} "
                    f"× {place['strength']:g}, {place['shots']:,} shots, {place['mitigation']}",
                    one["errors"],
                    "–" if one["rms"] is None else f"{one['rms']['mean']:.3f}",
                    *(_change(one[name]) for name in ("from_none", "from_all")),
                ]
            )
    heads = ("where", "errors", ">RMS ⟨Z⟩", ">points from no noise", ">points from all errors")
    return Printed("kinds of error: changes of accuracy, paired by seed", heads, rows)


def varying(points: Sequence[Point]) -> list[str]:
    """The optional columns of which the noisy points have several values."""
    noisy = [point for point in points if point["strength"] is not None]
    return [name for name in OPTIONAL if len({point[name] for point in noisy}) > 1]


def flips_text(flips: Mapping[str, int] | None) -> str:
    """Right answers lost and wrong ones gained, of how many questions."""
    return "–" if flips is None else f"{flips['lost']}, {flips['gained']} of {flips['total']}"


def _text(point: Point, name: str) -> str:
    value = point[name]
    if value is None or name == "error_kinds":
        return str(point["errors"]) if name == "error_kinds" else "–"
    return f"{value:,}" if name == "shots" else str(value).removeprefix("noisy:")


def _change(found: Mapping[str, Any] | None) -> str:
    from qvlm_qiskit.studies.reports.templates import interval

    return "–" if found is None else interval(found["accuracy"], 100, "", sign=True, scope=False)
