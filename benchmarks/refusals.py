"""CPU seconds and memory of commands that need no model, in a table.

    python benchmarks/refusals.py [QVLM ...]

Each QVLM is a console script to compare with, such as that of another environment; by default the
one beside this Python. Every command runs three times in a process of its own, and the fastest
counts. What must not be imported is held by tests/cli/test_light.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

COMMANDS = (
    "--help",
    "evaluate /no/such",
    "evaluate /no/such --backend aerr",
    "train --out new --recipe smal",
    "train --out new --backend noisy:fake_manilla",
    "noise show fake_torinoo",
    "backends list",
    "jobs list --store jobs",
    "jobs show last --store jobs",
    "jobs usage --store jobs",
)
REPEATS = 3


def cost(words: list[str], folder: Path) -> tuple[float, float]:
    """CPU seconds and peak memory in MiB of one process; what it prints is dropped."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    actions = [(os.POSIX_SPAWN_DUP2, nowhere, 1), (os.POSIX_SPAWN_DUP2, nowhere, 2)]
    before = Path.cwd()
    os.chdir(folder)
    try:
        child = os.posix_spawn(words[0], words, os.environ, file_actions=actions)
        _, _, used = os.wait4(child, 0)
    finally:
        os.chdir(before)
        os.close(nowhere)
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


LEDGER = """
from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.ledger.runs import new_run
request = {"run": "runs/demo", "backend": {"name": "aer"}, "options": {"limit": 3}}
new_run(JobStore("jobs", create=True), request)
"""
"""Makes a ledger with one run; in another process, whose memory a child would start with."""


def main() -> None:
    """Print the table."""
    given = sys.argv[1:] or [str(Path(sys.executable).with_name("qvlm"))]
    scripts = [str(Path(script).absolute()) for script in given]
    print(f"{'':46}" + "".join(f"{'CPU s':>12}{'MiB':>8}" for _ in scripts))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-c", LEDGER], cwd=folder, check=True)
        for line in COMMANDS:
            cells = ""
            for script in scripts:
                found = [cost([script, *line.split()], folder) for _ in range(REPEATS)]
                cells += f"{min(s for s, _ in found):>12.2f}{min(m for _, m in found):>8.0f}"
            print(f"qvlm {line:41}" + cells, flush=True)


if __name__ == "__main__":
    main()
