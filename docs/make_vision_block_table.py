"""Puts benchmarks/results/vision_block.json into docs/vision-block.md; a test compares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = Path(__file__).with_name("vision-block.md")
RESULTS = ROOT / "benchmarks" / "results" / "vision_block.json"
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->"


def table(results: Mapping[str, Any]) -> str:
    """The measured table as Markdown."""
    lines = [
        "| block | qubits | features | values read | two-qubit gates | of the circuit "
        "| parameters of the block | ms | twin, ms |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in results["rows"]:
        said = ",".join(f"{key}={value}" for key, value in row["form"].items())
        cells = [f"`qcnn({said})`"]
        for name in ("num_qubits", "features", "outputs", "two_qubit_gates"):
            cells.append(f"{row[name]:,}")
        cells += [f"{row['circuit_parameters']:,}", f"{row['parameters']:,}"]
        cells += [_time(row["quantum_ms"]), _time(row["classical_ms"])]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _time(milliseconds: float) -> str:
    return f"{milliseconds:.2f}" if milliseconds < 10 else f"{milliseconds:.0f}"


def page(text: str, results: Mapping[str, Any]) -> str:
    """The page with its table replaced."""
    head, rest = text.split(BEGIN)
    return head + BEGIN + table(results) + END + rest.split(END)[1]


if __name__ == "__main__":
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
