"""docs/hybrid-studies.md: commands are taken, tables are those of the studies, names exist."""

import re
from pathlib import Path

import pytest

from qvlm_qiskit.studies.optimisers.options import DATA
from qvlm_qiskit.studies.optimisers.ways import WAYS
from qvlm_qiskit.studies.replacement.options import VARIANTS

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "hybrid-studies.md").read_text(encoding="utf-8")
PARTS = re.findall(r"^```\n(qvlm [^\n]*)\n```\n\n```text\n(.*?)^```", PAGE, re.M | re.S)
SECTIONS = {
    name: text
    for name, text in re.findall(r"^## qvlm study (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
}


@pytest.mark.parametrize(("command", "printed"), PARTS)
def test_a_command_is_taken_and_prints_no_wider(command, printed):
    reference = (DOCS / "cli.md").read_text(encoding="utf-8")
    name = command.split()[2]
    known = reference.partition(f"\n## `qvlm study {name}`\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"--[a-z-]+", command)) <= set(re.findall(r"--[a-z-]+", known))
    assert command in SECTIONS[name]
    assert max(map(len, printed.splitlines())) <= 80


def test_every_section_shows_what_its_command_printed():
    assert list(SECTIONS) == ["optimisers", "robustness", "replacement"]
    assert len(PARTS) == PAGE.count("```text") >= 3


def test_the_costs_of_optimisers_are_those_of_the_code():
    rows = re.findall(r"^\| (`.*?) \| .*? \| (.*?) \|$", SECTIONS["optimisers"], re.M)
    told = {name: cost for names, cost in rows for name in re.findall(r"`([a-z-]+)`", names)}
    assert set(told) == set(WAYS)
    for name, way in WAYS.items():
        assert told[name].startswith(way.cost.partition(",")[0])
        assert set(re.findall(r"\d+ N", way.cost)) <= set(re.findall(r"\d+ N", told[name]))
    assert all(f"`{name}`" in SECTIONS["optimisers"] for name in DATA)


def test_every_network_of_the_ladder_is_named():
    assert all(f"`{name}`" in SECTIONS["replacement"] for name in VARIANTS)
