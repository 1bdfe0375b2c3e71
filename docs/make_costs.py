"""Write the session of docs/costs.md: what evaluations of one run would cost.

    python docs/make_costs.py

A run is trained for a few steps in a temporary folder (no cost depends on its weights), and the
commands of the page are run beside it; what they print is put below them. A test runs them again.
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


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        PAGE.write_text(rewritten(PAGE.read_text("utf-8"), Path(name)), encoding="utf-8")
