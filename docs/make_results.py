"""Puts the numbers of runs/demo into README.md and benchmarks/results/demo.json (make results)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qvlm_qiskit.studies.reports.plots import block_name
from qvlm_qiskit.studies.reports.report import accuracy_rows

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
KEPT = ROOT / "benchmarks" / "results" / "demo.json"
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->"


def markdown(results: Mapping[str, Any]) -> str:
    """The README's results section for a results.json."""
    lines = ["| evaluation | correct | exact match | 95 % interval |", "|---|---|---|---|"]
    for label, record, _ in accuracy_rows(results):
        low, high = record["low"], record["high"]
        lines.append(
            f"| {label} | {record['correct']} / {record['total']} | {record['accuracy']:.1%} "
            f"| {low:.1%} – {high:.1%} |"
        )
    lines += [
        "",
        "| RMS error of ⟨Z⟩ under fake_torino noise | raw | readout+zne |",
        "|---|---|---|",
    ]
    raw, mitigated = (results["noisy"][name]["expectations"] for name in ("raw", "mitigated"))
    for before, after in zip(raw, mitigated, strict=True):
        lines.append(
            f"| {block_name(before['block'])} | {before['rms']:.3f} | {after['rms']:.3f} |"
        )
    scales = " | ".join(f"× {point['scale']:g}" for point in results["noise_sweep"])
    values = " | ".join(f"{point['accuracy']:.1%}" for point in results["noise_sweep"])
    columns = len(results["noise_sweep"])
    lines += ["", f"| noise strength | {scales} |", "|---" * (columns + 1) + "|"]
    lines += [f"| accuracy ({results['options']['noisy_samples']} questions) | {values} |", ""]
    lines.append(
        f"The whole demo took {results['seconds']:.0f} s and {results['peak_memory_mib']:,} MiB, "
        f"its training {results['training']['seconds']:.0f} s."
    )
    return "\n".join(lines) + "\n"


def with_results(readme: str, results: Mapping[str, Any]) -> str:
    """The README with its results section replaced."""
    head, rest = readme.split(BEGIN)
    return head + BEGIN + markdown(results) + END + rest.split(END)[1]


def main() -> None:
    """Copy the results, and write them into the README."""
    text = (ROOT / "runs" / "demo" / "results.json").read_text(encoding="utf-8")
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    KEPT.write_text(text, encoding="utf-8")
    README.write_text(
        with_results(README.read_text(encoding="utf-8"), json.loads(text)), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
