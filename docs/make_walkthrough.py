"""Write docs/walkthrough.md: one trained model from statevectors to a priced hardware job.

The commands below are run, in order, beside ``runs/demo`` of ``make demo``, and what they print is
the page. A test holds the page's commands to this list and to the command line's options.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "walkthrough.md"

STEPS: tuple[tuple[str, str, str], ...] = (
    (
        "Exact statevectors",
        "The machine that the model was trained on: no noise, no shots.",
        "qvlm evaluate runs/demo --limit 200",
    ),
    (
        "The noise of a device",
        "What is known of fake_torino's errors, as plain data. `qvlm noise save` keeps it as a "
        "dated file, which `--backend noisy:<file>` takes too.",
        "qvlm noise show fake_torino",
    ),
    (
        "The same weights under that noise",
        "Circuits are compiled for the device once, and measured 1,000 times for every row of "
        "angles.",
        "qvlm evaluate runs/demo --backend noisy:fake_torino --shots 1000 --limit 200",
    ),
    (
        "Four times the noise, raw and mitigated",
        "Readout errors are inverted from calibration circuits, gate errors extrapolated to zero.",
        "qvlm evaluate runs/demo --backend noisy:fake_torino --noise-scale 4 --shots 1000 "
        "--limit 200",
    ),
    (
        "",
        "",
        "qvlm evaluate runs/demo --backend noisy:fake_torino --noise-scale 4 --shots 1000 "
        "--limit 200 --mitigation readout+zne",
    ),
    (
        "What it would cost",
        "Preflight runs nothing on the machine. For each block it says what its circuit becomes, "
        "and for each kind of mitigation how many circuits, executions and seconds a batch takes.",
        "qvlm preflight runs/demo --backend fake_torino --shots 1000 --limit 20",
    ),
    (
        "The Runtime client",
        "The unmodified client of IBM Quantum in local mode, the last step before `ibm:<machine>`.",
        "qvlm evaluate runs/demo --backend fake_torino --mitigation resilience-1 --shots 1000 "
        "--limit 20",
    ),
)

OPENING = """# One trained model, from statevectors to a priced job

`make demo` has left a trained model in `runs/demo`. This page takes the same weights from machine
to machine; everything below was printed by the commands shown: `docs/make_walkthrough.py` writes it
again. Accuracies are exact matches on held-out questions with Wilson's 95 % intervals. No hardware
was used.
"""


def page() -> str:
    """Run the commands and return the page."""
    parts = [OPENING]
    for title, text, command in STEPS:
        parts += [f"## {title}\n"] * bool(title)
        parts += [f"{text}\n"] * bool(text)
        parts.append(f"```console\n$ {command}\n{_output(command)}\n```\n")
    return "\n".join(parts)


def _output(command: str) -> str:
    environment = {**os.environ, "COLUMNS": "110", "TERM": "dumb", "NO_COLOR": "1"}
    arguments = [sys.executable, "-m", "qvlm_qiskit", *shlex.split(command)[1:]]
    done = subprocess.run(
        arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command}: {done.stderr.strip()}")
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
