"""Put a real session into docs/jobs.md: commands against the loopback service, and what they print.

    python docs/make_jobs_page.py

needs ``runs/demo`` of ``make demo``. The commands run in order, in a folder of their own, and what
they print is the page's session. A test holds the page to this list and to the command line.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

PAGE = ROOT / "docs" / "jobs.md"
BEGIN, END = "<!-- session: begin -->\n", "<!-- session: end -->"
DEVICE = "fake_torino"
OPTIONS = f"--backend ibm:{DEVICE} --shots 200 --limit 4"

STEPS: tuple[tuple[str, str], ...] = (
    (
        "What it will cost, an id, and back to the shell:",
        f"qvlm submit runs/demo {OPTIONS} --budget-seconds 20 --detach",
    ),
    (
        "The first job is on its way. Any process that has the ledger can go on, now or next week; "
        "`watch` draws a live table on a terminal and prints a line per change elsewhere:",
        "qvlm jobs watch last",
    ),
    ("What happened, and when:", "qvlm jobs show last"),
    ("All runs of the ledger:", "qvlm jobs list"),
    (
        "The same questions again cost nothing, and other ones only the rows that are new:",
        "qvlm submit runs/demo --backend ibm:fake_torino --shots 200 --limit 8 --dry-run",
    ),
    ("What was spent and saved:", "qvlm jobs usage"),
    ("Whether the raw results on disk still say what the ledger says:", "qvlm jobs verify"),
    ("All of it as files:", "qvlm jobs export last --out kept"),
)


def main() -> None:
    """Run the commands and write the session into the page."""
    from tests.runtime_server import RuntimeServer

    with (
        tempfile.TemporaryDirectory() as folder,
        RuntimeServer([DEVICE], queue_seconds=2.0) as server,
    ):
        (Path(folder) / "runs").symlink_to(ROOT / "runs")
        put_session(PAGE, STEPS, folder, server.environment())


def put_session(
    page: Path, steps: Sequence[tuple[str, str]], folder: str, service: Mapping[str, str]
) -> None:
    """Run commands in a folder, and write them and what they print into a page."""
    parts = []
    environment = {
        **os.environ,
        **service,
        "QVLM_STORE": "ledger",
        "COLUMNS": "90",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "OMP_NUM_THREADS": "1",
    }
    for text, command in steps:
        print(command, file=sys.stderr, flush=True)
        shown = _output(command, folder, environment)
        parts.append(f"{text}\n\n```console\n$ {command}\n{shown}\n```\n")
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(before + BEGIN + "\n".join(parts) + END + after, encoding="utf-8")


def _output(command: str, folder: str, environment: dict[str, str]) -> str:
    """What a command prints; a budget that ends, and a refusal that helps, are shown, too."""
    done = subprocess.run(
        [sys.executable, "-m", "qvlm_qiskit", *shlex.split(command)[1:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and "goes on" not in done.stderr:
        raise SystemExit(f"{command}: {done.stderr.strip()}")
    said = [line for line in done.stderr.splitlines() if "━" not in line]
    lines = [*said, *done.stdout.replace(f"{ROOT}{os.sep}", "").splitlines()]
    lines = [line.replace(f"{folder}{os.sep}", "") for line in lines]
    return "\n".join(line.rstrip() for line in lines).strip("\n")


if __name__ == "__main__":
    main()
