"""Puts finished noise studies into benchmarks/results and docs/noise-study.md; a test compares.

    python docs/make_noise_study.py [NAME FOLDER]

FOLDER is what the commands of study NAME below leave; without it, the kept results are written into
the page again.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from qvlm_qiskit.studies.intervals import verdict
from qvlm_qiskit.studies.noise.noise_report import accuracy_plot
from qvlm_qiskit.studies.noise.summary import summarise
from qvlm_qiskit.studies.reports.plots import block_name
from qvlm_qiskit.studies.reports.templates import interval

ROOT = Path(__file__).parent.parent
PAGE = Path(__file__).with_name("noise-study.md")
RESULTS = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- {}: begin -->\n", "<!-- {}: end -->"

STUDIES = {
    "noise_study": (
        "qvlm train --out base --steps 250",
        "qvlm study noise base --out study --seeds 5 --twins --train-at 1,2,4 --strengths 0,1,4 "
        "--mitigations none --limit 200 --processes 2",
    ),
    "noise_study_long": (
        "qvlm train --out base",
        "qvlm study noise base --out study --seeds 5 --twins --strengths 0,1,4 "
        '--mitigations "none;readout+zne" --limit 200 --processes 2',
    ),
}

Point = Mapping[str, Any]
Results = Mapping[str, Any]


def tables(results: Results) -> str:
    """Commands and tables as Markdown."""
    blocks = list(dict.fromkeys(b for p in results["points"] for b in p["expectations"]))
    parts = [
        "```sh\n" + "\n".join(results["commands"]) + "\n```",
        "Exact-match accuracy in %:",
        _by_strength(results, lambda p: interval(p["accuracy"], 100, "")),
        "Differences, paired by seed:",
        _differences(results),
        "Loss in nats per token:",
        _by_strength(results, lambda p: interval(p["loss"], 1, "", digits=3)),
    ]
    for block in blocks:
        parts += [
            f"RMS error of ⟨Z⟩, {block_name(block)}:",
            _by_strength(results, lambda p, b=block: _error(p, b)),
        ]
    gates = [
        f"| {g['kind']} | {g['gate'].upper()} | {interval(g['value'], 1, '', digits=3)} |"
        for g in results["gates"]
    ]
    parts += ["Gates γ, the share of a block's circuit:"]
    parts += ["\n".join(["| model | gate | γ |", "|---|---|---|", *gates])]
    return "\n\n".join(parts) + "\n"


def _by_strength(results: Results, show: Callable[[Point], str]) -> str:
    strengths = list(results["grid"]["strengths"])
    head = " | ".join(f"× {s:g}" for s in strengths)
    lines = [f"| model | {head} |", "|---" * (len(strengths) + 1) + "|"]
    places: dict[tuple[str, str | None], dict[float | None, Point]] = {}
    for point in results["points"]:
        if point["strength"] is None and point["kind"] != "classical blocks":
            continue  # exact values are not of this table
        name = point["kind"], point["mitigation"]
        places.setdefault(name, {})[point["strength"]] = point
    for (kind, mitigation), found in places.items():
        label = kind if mitigation in (None, "none") else f"{kind}, {mitigation}"
        # no noise reaches a model without circuits: the same number at every strength
        cells = [show(found[None] if None in found else found[s]) for s in strengths]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _error(point: Point, block: str) -> str:
    if block not in point["expectations"]:
        return "–"
    return interval(point["expectations"][block]["rms"], 1, "", digits=3)


def _differences(results: Results) -> str:
    lines = [
        "| difference | strength | accuracy, points | what it says | loss |",
        "|---|---|---|---|---|",
    ]
    for entry in results["differences"]:
        if entry["strength"] is None:
            continue
        lines.append(
            f"| {entry['what'].replace(' - ', ' − ')} | × {entry['strength']:g} "
            f"| {interval(entry['accuracy'], 100, '', sign=True)} | {verdict(entry['accuracy'])} "
            f"| {interval(entry['loss'], 1, '', sign=True, digits=3)} |"
        )
    return "\n".join(lines)


def page(text: str, name: str, results: Results) -> str:
    """The page with the measured section of one study replaced."""
    begin, end = BEGIN.format(name), END.format(name)
    head, rest = text.split(begin)
    return head + begin + tables(results) + end + rest.split(end)[1]


def kept(name: str) -> Path:
    """Where a study's results are kept."""
    return RESULTS / f"{name}.json"


def figure_of(name: str) -> Path:
    """Where the plot of a study's accuracies is kept."""
    return PAGE.with_name(f"{name.replace('_', '-')}.svg")


def figure(points: Sequence[Point]) -> str:
    """The plot of the accuracies, with a digest of what it shows."""
    return f"{accuracy_plot(points).rstrip()}\n<!-- {digest(points)} -->\n"


def digest(points: Sequence[Point]) -> str:
    """SHA-256 of the plotted numbers."""
    return hashlib.sha256(json.dumps(points, sort_keys=True).encode()).hexdigest()


def keep(name: str, folder: Path) -> None:
    """Keep the results of a finished study."""
    found = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    results = {"commands": STUDIES[name], **found, **summarise(found["rows"])}
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    kept(name).write_text(text, encoding="utf-8")


def main(arguments: Sequence[str]) -> None:
    """Keep a study's results where one is named, and write page, texts and figures."""
    if arguments:
        keep(arguments[0], Path(arguments[1]))
    for name in STUDIES:
        results = json.loads(kept(name).read_text(encoding="utf-8"))
        kept(name).with_suffix(".txt").write_text(tables(results), encoding="utf-8")
        figure_of(name).write_text(figure(results["points"]), encoding="utf-8")
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), name, results), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
