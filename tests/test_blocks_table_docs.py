"""docs/blocks.md shows the numbers of benchmarks/results/blocks_*.json."""

import json
from pathlib import Path

import pytest

from qvlm_qiskit.recipes import BLOCKS
from qvlm_qiskit.studies.blocks.cells import SMALL
from tests.scripts import load

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "blocks.md").read_text(encoding="utf-8")


make = load(ROOT / "docs" / "make_blocks_table.py")


@pytest.fixture(params=sorted(make.TABLES))
def name(request):
    return request.param


@pytest.fixture
def results(name):
    return json.loads(make.kept(name).read_text(encoding="utf-8"))


def test_the_tables_are_those_of_the_study(name, results):
    assert make.page(PAGE, name, results) == PAGE, "run python docs/make_blocks_table.py"
    assert results["command"] == make.TABLES[name]
    assert make.TABLES[name] in PAGE


def test_every_block_of_this_package_is_in_the_table(results):
    expected = [SMALL.get(name, name) for name in BLOCKS.own]
    assert [one["block"] for one in results["blocks"]] == expected
    assert results["grid"]["seeds"] >= 5


def test_the_counts_are_those_of_the_differences(results):
    for kind, seen in results["seen"].items():
        found = [one["differences"][kind]["accuracy"] for one in results["blocks"]]
        assert seen["intervals"] == len(found)
        assert seen["better"] == sum(one["low"] > 0 for one in found)
        assert seen["worse"] == sum(one["high"] < 0 for one in found)
