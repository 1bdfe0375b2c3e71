"""Write the session of docs/costs.md: what evaluations of one run would cost.

    python docs/make_costs.py

A run is trained for a few steps in a temporary folder (no cost depends on its weights), and the
commands of the page are run beside it; what they print is put below them. A test runs them again.
The picture of the page, ``costs-tiles.svg``, shows the tiles of the run's circuit.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "costs.md"
PICTURE = PAGE.with_name("costs-tiles.svg")
RUN, DEVICE, BLOCK = "runs/costs", "noisy:fake_kingston", "PAQM"
SESSION = re.compile(r"(```console\n\$ )(qvlm [^\n]*)\n(.*?)(```)", re.S)


def rewritten(text: str, folder: Path) -> str:
    """The page with what its commands print in a folder, one after the other."""
    return SESSION.sub(lambda m: f"{m[1]}{m[2]}\n{_output(m[2], folder)}{m[4]}", text)


def _output(command: str, folder: Path) -> str:
    """Standard output; nothing of a training, whose times differ."""
    environment = {**os.environ, "COLUMNS": "110", "TERM": "dumb", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "qvlm_qiskit", *shlex.split(command)[1:]],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{command}: {done.stderr.strip()}")
    if command.startswith("qvlm train"):
        return ""
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.strip().splitlines())


def picture(folder: Path) -> str:
    """The device of the session with the tiles of one of its circuits, as SVG."""
    from qvlm_qiskit.backends import open_backend
    from qvlm_qiskit.runs import Run
    from qvlm_qiskit.studies.reports.chip import Chip
    from qvlm_qiskit.studies.reports.chip_plot import chip_plot
    from qvlm_qiskit.studies.reports.evaluation_report import circuit_names

    backend = open_backend(DEVICE, shots=1000, tiles="auto")
    model = Run.open(folder / RUN).model()
    backend.preflight(model, 1, mitigations=["none"])
    names = circuit_names(model.quantum_layers)
    circuits = backend.describe()["tiles"]["circuits"]
    found = {names[one["circuit"]]: one["tiles"] for one in circuits}
    chip = Chip.of(backend.compiler.target)
    return chip_plot(chip, found[BLOCK], f"{BLOCK}: {len(found[BLOCK])} tiles on {DEVICE}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        PAGE.write_text(rewritten(PAGE.read_text("utf-8"), Path(name)), encoding="utf-8")
        PICTURE.write_text(picture(Path(name)) + "\n", encoding="utf-8")
