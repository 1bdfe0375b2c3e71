"""Puts finished tables of blocks into benchmarks/results and docs/blocks.md; a test compares.

    python docs/make_blocks_table.py [NAME FOLDER]

FOLDER is what the command of table NAME below leaves; without it, the kept results are written into
the page again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from qvlm_qiskit.studies.blocks.printed import number
from qvlm_qiskit.studies.reports.templates import interval

ROOT = Path(__file__).parent.parent
PAGE = Path(__file__).with_name("blocks.md")
RESULTS = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- {}: begin -->\n", "<!-- {}: end -->"
NAMES = {"classical": "twin"}
MINUS = "−"

OTHERS = "--image-size 32 --learning-rate 0.003 --rounds 0 --steps 600"
TABLES = {
    "digits": "qvlm study blocks --out studies/blocks",
    "signs": "qvlm study blocks --data folder:Dataset --columns 'ask=which digit is shown?' "
    f"{OTHERS} --out studies/signs",
    "grocery": "qvlm study blocks --data grocery:dataset --columns kinds=coarse "
    f"{OTHERS} --out studies/grocery",
    "nlvr": "qvlm study blocks --data table:nlvr.parquet --columns group=question "
    f"{OTHERS} --out studies/nlvr",
}

Results = Mapping[str, Any]


def learned(results: Results) -> str:
    """Accuracies, and their differences, as Markdown."""
    against = list(results["blocks"][0]["differences"])
    head = " | ".join(f"less {NAMES.get(kind, kind)}" for kind in against)
    lines = [
        f"| block | exact match, % | {head} | loss less twin |",
        "|---" * (len(against) + 3) + "|",
    ]
    points = {(one["block"], one["kind"]): one for one in results["points"]}
    for block in results["blocks"]:
        found = block["differences"]
        cells = [_shown(points[block["block"], "quantum"]["accuracy"], 100)]
        cells += [_shown(found[kind]["accuracy"], 100, sign=True) for kind in against]
        cells += [_shown(found["classical"]["loss"], 1, sign=True, digits=2)]
        lines.append(f"| `{block['block']}` | {' | '.join(cells)} |")
    for kind in ("none", "cnn"):
        accuracy = _shown(points["", kind]["accuracy"], 100)
        lines.append(f"| {kind} | {accuracy} |" + " |" * (len(against) + 1))
    return "\n".join(lines)


def counted(results: Results) -> str:
    """How many differences there are that do not hold 0, as Markdown."""
    lines = ["| less | intervals | above 0 | below 0 | by chance, each |", "|---|---|---|---|---|"]
    for kind, seen in results["seen"].items():
        cells = [NAMES.get(kind, kind), *(str(seen[n]) for n in ("intervals", "better", "worse"))]
        lines.append(f"| {' | '.join(cells)} | {seen['by_chance'] / 2:.1f} |")
    return "\n".join(lines)


def machines(results: Results) -> str:
    """Times, costs, noise and simulability, as Markdown."""
    techniques = [one["mitigation"] for one in results["blocks"][0]["noise"]]
    noisy = " | ".join("raw" if one == "none" else one for one in techniques)
    timed = any(block["time"] for block in results["blocks"])
    lines = [
        f"| block | {'step, ms | × twin | ' if timed else ''}2q gates | success | rows | QPU s "
        f"| exact, % | {noisy} | least numbers |",
        "|---" * (7 + 2 * timed + len(techniques)) + "|",
    ]
    for block in results["blocks"]:
        machine = block["machine"]
        cells = [
            *(_step(block["time"]) if timed else ()),
            number(machine["two_qubit_gates"], ","),
            number(machine["success"], ".2f"),
            number(machine["rows"], ",.0f"),
            number(machine["qpu_seconds"], ",.0f"),
            *_under_noise(block["noise"]),
            f"{machine['numbers']:,} ({machine['easy']})",
        ]
        lines.append(f"| `{block['block']}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _step(time: Mapping[str, float] | None) -> list[str]:
    if time is None:
        return ["–", "–"]
    return [f"{time['step_ms']:.2f}", f"{time['step_ms'] / time['twin_ms']:.1f}"]


def _under_noise(noise: Sequence[Mapping[str, Any]]) -> list[str]:
    if "refused" in noise[0]:
        return ["not simulated", *([""] * len(noise))]
    exact = _shown(noise[0]["exact"], 100)
    return [exact, *(_shown(one["accuracy"], 100) for one in noise)]


def _shown(
    entry: Mapping[str, Any] | None, factor: float, *, sign: bool = False, digits: int = 0
) -> str:
    if entry is None:
        return "–"
    text = interval(entry, factor, "", scope=False, sign=sign, digits=digits)
    return text.replace("-", MINUS)


PARTS: Mapping[str, Callable[[Results], str]] = {
    "learned": learned, "counted": counted, "machines": machines,
}  # fmt: skip


def page(text: str, name: str, results: Results) -> str:
    """The page with the parts of one table replaced, those that it has."""
    for part, made in PARTS.items():
        begin, end = (mark.format(f"{name} {part}") for mark in (BEGIN, END))
        if begin in text:
            head, rest = text.split(begin)
            text = head + begin + made(results) + "\n" + end + rest.split(end)[1]
    return text


def kept(name: str) -> Path:
    """Where a table's results are kept."""
    return RESULTS / f"blocks_{name}.json"


def keep(name: str, folder: Path) -> None:
    """Keep what a finished study says, without its rows and the places of its data."""
    found = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    grid = {key: value for key, value in found["grid"].items() if key != "data"}
    names = ("format", "version", "points", "blocks", "seen")
    results = {"command": TABLES[name], "grid": grid, **{one: found[one] for one in names}}
    text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
    kept(name).write_text(text, encoding="utf-8")


def main(arguments: Sequence[str]) -> None:
    """Keep a study's results where one is named, and write the page."""
    if arguments:
        keep(arguments[0], Path(arguments[1]))
    for name in TABLES:
        results = json.loads(kept(name).read_text(encoding="utf-8"))
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), name, results), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
