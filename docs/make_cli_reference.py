"""Writes docs/cli.md from the commands' own help (make docs); a test compares the two."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

COMMANDS = (
    (),
    ("demo",),
    ("train",),
    ("evaluate",),
    ("preflight",),
    ("submit",),
    ("ask",),
    ("caption",),
    ("profile",),
    ("jobs",),
    ("jobs", "list"),
    ("jobs", "show"),
    ("jobs", "resume"),
    ("jobs", "watch"),
    ("jobs", "cancel"),
    ("jobs", "retry"),
    ("jobs", "results"),
    ("jobs", "usage"),
    ("jobs", "verify"),
    ("jobs", "export"),
    ("backends",),
    ("backends", "list"),
    ("backends", "show"),
    ("noise",),
    ("noise", "show"),
    ("noise", "save"),
    ("noise", "diff"),
    ("study",),
    ("study", "ablation"),
    ("study", "compare"),
    ("study", "compression"),
    ("study", "drift"),
    ("study", "noise"),
    ("study", "search"),
    ("study", "shrinking"),
    ("study", "starts"),
    ("study", "zne"),
    ("adapter",),
    ("adapter", "train"),
    ("adapter", "caption"),
    ("adapter", "evaluate"),
    ("adapter", "submit"),
    ("adapter", "inspect"),
)
TARGET = Path(__file__).with_name("cli.md")
SCRIPT = """
import sys
from qvlm_qiskit.cli import main
for words in sys.argv[1:]:
    assert main([*words.split(), "--help"]) == 0
    print(end="\\0")
"""


def helps() -> list[str]:
    """What each command prints with ``--help``, in columns that don't depend on a terminal."""
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, *(" ".join(command) for command in COMMANDS)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "100", "TERMINAL_WIDTH": "100"},
    )
    return run.stdout.split("\0")[:-1]


def reference() -> str:
    """The page's text."""
    parts = [
        "# Commands",
        "Made by `make docs` from the commands' own help. Every command exits with status 0, or "
        "with status 2 and one line on stderr for anything that its user can mend. Results go to "
        "stdout, progress to stderr.",
    ]
    for command, text in zip(COMMANDS, helps(), strict=True):
        text = re.sub(r"[ \t]+$", "", text.strip(), flags=re.MULTILINE)
        parts.append(f"## `{' '.join(('qvlm', *command))}`\n\n```text\n{text}\n```")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
