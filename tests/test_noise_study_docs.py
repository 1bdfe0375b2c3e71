"""docs/noise-study.md shows the numbers of benchmarks/results/noise_study*.json."""

import json
import re
from pathlib import Path

import pytest

from qvlm_qiskit.studies.noise.summary import summarise
from tests.scripts import load

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "noise-study.md").read_text(encoding="utf-8")


make = load(ROOT / "docs" / "make_noise_study.py")


@pytest.fixture(params=sorted(make.STUDIES))
def name(request):
    return request.param


@pytest.fixture
def results(name):
    return json.loads(make.kept(name).read_text(encoding="utf-8"))


def test_the_tables_are_those_of_the_study(name, results):
    assert make.page(PAGE, name, results) == PAGE, "run python docs/make_noise_study.py"
    assert make.kept(name).with_suffix(".txt").read_text(encoding="utf-8") == make.tables(results)
    figure = make.figure_of(name)
    assert f"<!-- {make.digest(results['points'])} -->" in figure.read_text(encoding="utf-8")
    assert f"]({figure.name})" in PAGE
    assert tuple(results["commands"]) == make.STUDIES[name]


def test_the_summaries_are_those_of_the_rows(results):
    again = json.loads(json.dumps(summarise(results["rows"])))
    for name in ("points", "differences", "gates"):
        for one, other in zip(again[name], results[name], strict=True):
            assert_close(one, other)


def assert_close(one, other):
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_close(one[key], other[key])
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-9, abs=1e-12)
    else:
        assert one == other


def test_the_study_is_as_large_as_it_is_said_to_be(results):
    grid = results["grid"]
    assert len({row["seed"] for row in results["rows"]}) == grid["seeds"] == 5
    assert {row["blocks"] for row in results["rows"]} == {"quantum", "classical"}
    commands = " ".join(results["commands"])
    for option in ("--seeds 5", "--twins", f"--strengths {numbers(grid['strengths'])}"):
        assert option in commands
    at = grid["trained_at"]
    assert ("--train-at" in commands) == bool(at)
    assert not at or f"--train-at {numbers(at)}" in commands


def numbers(values):
    return ",".join(f"{value:g}" for value in values)


def test_every_number_of_the_reading_is_in_a_table():
    reading = PAGE.partition("## Reading")[2].partition("## Measured")[0]
    tables = PAGE.partition("## Measured")[2]
    found = re.findall(r"[+−-]?\d+\.\d+", reading)
    assert len(found) > 5
    shown = set(re.findall(r"[+-]?\d+\.\d+", tables))
    for number in found:
        assert number.replace("−", "-") in shown, number


def test_every_option_of_the_commands_exists(results):
    reference = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for line in results["commands"]:
        words = line.split()
        name = " ".join(words[:3] if words[1] == "study" else words[:2])
        section = reference.partition(f"## `{name}`\n")[2].partition("\n## ")[0]
        for option in re.findall(r"--[a-z-]+", line):
            assert option in section, option
