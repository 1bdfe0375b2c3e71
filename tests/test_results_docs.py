"""docs/results.md: its commands are taken, and each stands before the tables that it printed."""

import re
from pathlib import Path

import pytest

from qvlm_qiskit.basics.placed_names import PlacedName
from qvlm_qiskit.recipes import DATA_SETS, METRICS
from qvlm_qiskit.studies.compare.options import CompareOptions
from qvlm_qiskit.studies.compare.study import short_name

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "results.md").read_text(encoding="utf-8")
PARTS = re.findall(
    r"^## ([^\n]*)\n\n```\n(qvlm [^\n]*)\n```\n\n```text\n(.*?)^```", PAGE, re.M | re.S
)


def options_of(command):
    return dict(re.findall(r'--([a-z-]+) ("[^"]*"|\S+)', command))


def test_every_part_has_a_command_and_what_it_printed():
    assert len(PARTS) == PAGE.count("\nqvlm ") == PAGE.count("```text") >= 5


@pytest.mark.parametrize(("command", "printed"), [part[1:] for part in PARTS])
def test_a_command_is_taken_and_its_tables_are_of_its_budget(command, printed):
    reference = (DOCS / "cli.md").read_text(encoding="utf-8")
    known = reference.partition("\n## `qvlm study compare`\n")[2].partition("\n## ")[0]
    assert command.startswith("qvlm study compare ")
    given = options_of(command)
    assert {f"--{name}" for name in given} <= set(re.findall(r"--[a-z-]+", known))
    placed = PlacedName.read(given["data"])
    DATA_SETS.check(placed.name)
    for name in given.get("metric", "exact-match").split(","):
        METRICS.check(name)
    default = CompareOptions()
    steps, seeds = given.get("steps", default.steps), given.get("seeds", default.seeds)
    title = " ".join(printed.partition("┏")[0].split())
    assert title.startswith(f"exact match on {short_name(given['data'])}: {seeds} seeds, ")
    assert f"{steps} steps of {default.batch_size} of" in title
    for variant in default.variants:
        assert re.search(rf"^│ {variant} ", printed, re.M)
    assert given["backend"] in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_no_folder_of_a_computer_is_named():
    assert not re.search(r"/(home|root|tmp|work|Users)/", PAGE)
