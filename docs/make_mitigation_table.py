"""Puts the techniques and benchmarks/results/mitigation.json into docs/mitigation.md (make docs).

A test compares.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from qvlm_qiskit.backends.mitigation.names import offered, technique_class
from qvlm_qiskit.backends.mitigation.step import Step, written
from qvlm_qiskit.mitigations import TECHNIQUES

ROOT = Path(__file__).parent.parent
PAGE = Path(__file__).with_name("mitigation.md")
RESULTS = ROOT / "benchmarks" / "results" / "mitigation.json"
PATTERNS = {"noisy": "noisy:*", "fake": "fake_*", "ibm": "ibm:*"}


def techniques() -> str:
    """This package's techniques, and what "auto" compares, as Markdown."""
    lines = ["| technique | where | parameters | what it does |", "|---|---|---|---|"]
    for name in TECHNIQUES.own:
        found = technique_class(name)
        text = inspect.getdoc(found) or ""
        what, _, attributes = text.partition("\n\nAttributes:\n")
        said = {
            key: " ".join(value.split())
            for key, value in re.findall(r"^    (\w+): (.*(?:\n        .*)*)", attributes, re.M)
        }
        parameters = " ".join(_parameter(field, said[field.name]) for field in fields(found))
        cells = (f"`{name}`", _where(found), parameters, " ".join(what.split()))
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "Unless it is told which, `auto` compares", ""]
    for family, pattern in PATTERNS.items():
        lines.append(f"- on `{pattern}`: `{', '.join(offered(family).candidates)}`")
    return "\n".join(lines) + "\n"


def _where(found: type[Step]) -> str:
    if found.name == "none":
        return "everywhere"
    return ", ".join(f"`{PATTERNS[family]}`" for family in PATTERNS if family in found.places.on)


def _parameter(field: Any, said: str) -> str:
    whole = isinstance(field.default, int)
    default = f"{field.default:,}" if whole else written(field.default)
    return f"`{field.name}`{f' ({default})' if default else ''}: {said}"


def tables(results: Mapping[str, Any]) -> str:
    """The measured tables as Markdown."""
    lines = []
    for machine, rows in results["machines"].items():
        lines += [
            f"| `{machine}` | rms | bias | std | overhead | calibration |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| `{row['mitigation']}` | {row['rms']:.4f} | {row['bias']:+.4f} "
            f"| {row['standard_error']:.4f} | {row['overhead']:.2f} "
            f"| {row['calibration_executions']:,} |"
            for row in rows
        ]
        lines.append("")
        lines += [f"`auto`: {row['auto']['why']}.\n" for row in rows if row["auto"]]
    shots = results["readout"][0]["shots"]
    lines += [f"| readout errors alone, {shots:,} shots | rms | largest |", "|---|---|---|"]
    lines += [
        f"| {row['method']} | {row['rms']:.4f} | {row['largest']:.4f} |"
        for row in results["readout"]
    ]
    return "\n".join(lines) + "\n"


def page(text: str, results: Mapping[str, Any]) -> str:
    """The page with its generated sections replaced."""
    for name, content in {"techniques": techniques(), "results": tables(results)}.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        head, rest = text.split(begin)
        text = head + begin + content + end + rest.split(end)[1]
    return text


def main() -> None:
    """Write the page."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")


if __name__ == "__main__":
    main()
