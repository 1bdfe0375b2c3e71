"""docs/adapter.md: its commands are taken, its files and options exist."""

import re
import shlex
from pathlib import Path

from qvlm_qiskit.cli.adapter import Pretrained

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "adapter.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def test_its_commands_have_options_that_exist():
    commands = re.findall(r"^qvlm .*$", PAGE, flags=re.MULTILINE)
    assert len(commands) == 8
    for command in commands:
        words = shlex.split(command)
        name = " ".join(words[:3] if words[1] == "adapter" else words[:2])
        known = REFERENCE.partition(f"\n## `{name}`\n")[2].partition("\n## ")[0]
        assert known, name
        assert {w for w in words if w.startswith("--")} <= set(re.findall(r"--[a-z-]+", known))


def test_its_files_and_options_exist():
    files = re.findall(r"^\| [a-z ]+ \| `([a-z_/]+\.py)`", PAGE, flags=re.MULTILINE)
    assert len(files) == 10
    assert all((ROOT / "qvlm_qiskit" / file).is_file() for file in files)
    named = re.findall(r"^\| (`--[^|]*) \|", PAGE, flags=re.MULTILINE)
    options = {o[2:].replace("-", "_") for o in re.findall(r"--[a-z-]+", " ".join(named))}
    assert options == set(Pretrained.__dataclass_fields__) - {"vision", "language"}
