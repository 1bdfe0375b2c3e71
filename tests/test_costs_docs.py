"""docs/costs.md shows what its commands print."""

import re
from pathlib import Path

import pytest

from tests.scripts import load

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "costs.md").read_text(encoding="utf-8")


def made():
    return load(ROOT / "docs" / "make_costs.py")


def test_the_options_of_the_session_exist():
    commands = [command for _, command, _, _ in made().SESSION.findall(PAGE)]
    assert len(commands) == 5
    reference = (ROOT / "docs" / "cli.md").read_text("utf-8")
    for command in commands:
        name = " ".join(command.split()[:2])
        section = reference.partition(f"## `{name}`\n")[2].partition("\n## ")[0]
        for option in re.findall(r"--[\w-]+", command):
            assert option in section, (name, option)


@pytest.mark.slow
def test_the_commands_print_what_the_page_shows(tmp_path):
    assert made().rewritten(PAGE, tmp_path) == PAGE
