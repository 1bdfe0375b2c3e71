"""docs/circuit-studies.md: its commands can be run as they stand."""

import re
import shlex
from pathlib import Path

import pytest

from qvlm_qiskit.cli.study import _Asked
from qvlm_qiskit.studies.registry import find_study

PAGE = (Path(__file__).parents[1] / "docs" / "circuit-studies.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]
NAMES = ("starts", "zne", "shrinking", "search", "compression")


def test_every_study_has_a_section_and_a_command():
    for name in NAMES:
        assert re.search(rf"^## .*`{name}`$", PAGE, re.MULTILINE)
        assert any(command.startswith(f"qvlm study {name} ") for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_makes_options(command):
    import dataclasses
    from typing import get_type_hints

    program, group, name, *words = shlex.split(command)
    assert (program, group) == ("qvlm", "study") and name in NAMES
    options = find_study(name).options_type
    hints = get_type_hints(options, include_extras=True)
    asked = [_Asked(entry, hints[entry.name]) for entry in dataclasses.fields(options)]
    flags = {one._flag(): one for one in asked}
    given = {}
    for flag, value in zip(words[::2], words[1::2], strict=True):
        if flag != "--out":
            one = flags[flag]
            one_type = int if one.each is None and "int" in str(one.type) else str
            given[one.entry.name] = one.value(one_type(value))
    assert dataclasses.replace(options(), **given) == options(**given)
