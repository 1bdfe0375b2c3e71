"""docs/costs.md shows what its commands print."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "costs.md").read_text(encoding="utf-8")


def load():
    spec = importlib.util.spec_from_file_location("make_costs", ROOT / "docs" / "make_costs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_options_of_the_session_exist():
    commands = [command for _, command, _, _ in load().SESSION.findall(PAGE)]
    assert len(commands) == 5
    reference = (ROOT / "docs" / "cli.md").read_text("utf-8")
    for command in commands:
        name = " ".join(command.split()[:2])
        section = reference.partition(f"## `{name}`\n")[2].partition("\n## ")[0]
        for option in re.findall(r"--[\w-]+", command):
            assert option in section, (name, option)


@pytest.mark.slow
def test_the_commands_print_what_the_page_shows(tmp_path):
    assert load().rewritten(PAGE, tmp_path) == PAGE
