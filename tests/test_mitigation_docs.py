"""docs/mitigation.md, the help and the code speak of the same techniques and numbers."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from qvlm_qiskit.backends import MITIGATIONS, open_backend
from qvlm_qiskit.backends.mitigation.names import parse_mitigation, technique_class
from qvlm_qiskit.cli.common import Mitigation
from tests.scripts import load

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "mitigation.md").read_text(encoding="utf-8")


def table(title):
    """The rows of the table whose first column has this title, split into cells."""
    lines = PAGE[PAGE.index(f"| {title} |") :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def test_every_technique_has_its_line_with_its_parameters():
    listed = {}
    for name, _, parameters, _ in table("technique"):
        for technique in re.findall(r"`([^`]+)`", name):
            listed[technique] = set(re.findall(r"`(\w+)` ?\(?", parameters))
    assert set(listed) == set(MITIGATIONS)
    values = set("linear richardson quadratic exp XX XpXm XY4".split())
    for name, parameters in listed.items():
        assert parameters - values == set(technique_class(name)().parameters()), name


def test_backends_offer_what_the_page_says():
    offered = {
        "noisy:*": open_backend("noisy:fake_manila").mitigations,
        "fake_*": open_backend("fake_manila").mitigations,
    }
    for name, where, _, _ in table("technique"):
        for technique in re.findall(r"`([^`]+)`", name):
            for pattern, names in offered.items():
                said = pattern in where or where == "everywhere"
                assert said == (technique in names), (technique, pattern)


def test_the_help_names_every_technique():
    (option,) = Mitigation.__metadata__
    for name in MITIGATIONS:
        assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", option.help), name


def test_the_docstring_says_where_the_techniques_are_listed():
    for place in ("backends.MITIGATIONS", "Backend.mitigations", "docs/mitigation.md"):
        assert place in open_backend.__doc__


def test_every_technique_says_what_it_does():
    sentences = [parse_mitigation(name)[0].sentence for name in MITIGATIONS]
    assert all(sentences)
    assert len(set(sentences)) == len(sentences)


def test_the_measured_tables_are_those_of_the_benchmark():
    module = load(ROOT / "docs" / "make_mitigation_table.py")
    results = json.loads(module.RESULTS.read_text(encoding="utf-8"))
    assert module.page(PAGE, results) == PAGE, "run make docs"


def test_names_in_the_page_can_be_parsed():
    for text in re.findall(r'mitigation="([^"]+)"|--mitigation "([^"]+)"', PAGE):
        parse_mitigation("".join(text))


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "mitigation.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "mitigation.py"), "--smoke"]
    done = subprocess.run(
        [*command, "--json", str(path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(path.read_text("utf-8"))


@pytest.mark.slow
def test_the_benchmark_measures_and_stores(smoke):
    text, results = smoke
    assert set(results["machines"]) == {"noisy:fake_torino", "fake_torino"}
    for rows in results["machines"].values():
        for row in rows:
            assert 0 < row["rms"] < 0.5
            assert 0 < row["standard_error"] < 0.5
            assert row["overhead"] == row["executions"] / (results["rows"] * results["shots"])
    assert {"raw counts", "ours"} <= {row["method"] for row in results["readout"]}
    assert max(map(len, text.splitlines())) <= 100
