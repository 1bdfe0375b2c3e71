"""Puts benchmarks/results/mitigation.json into docs/mitigation.md (make docs); a test compares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = Path(__file__).with_name("mitigation.md")
RESULTS = ROOT / "benchmarks" / "results" / "mitigation.json"
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->"


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
    """The page with its measured section replaced."""
    head, rest = text.split(BEGIN)
    return head + BEGIN + tables(results) + END + rest.split(END)[1]


def main() -> None:
    """Write the page."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")


if __name__ == "__main__":
    main()
