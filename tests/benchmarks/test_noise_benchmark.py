"""``benchmarks/noise.py`` runs, stores what it measured, and judges the goals by it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scripts import load

pytestmark = pytest.mark.slow
BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


def run(*arguments):
    command = [sys.executable, str(BENCHMARKS / "noise.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """The printed tables and the stored results of one smoke run."""
    path = tmp_path_factory.mktemp("bench") / "noise.json"
    done = run("--smoke", "--json", str(path))
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(path.read_text("utf-8"))


def test_both_engines_agree_and_are_timed(smoke):
    text, results = smoke
    entries = results["forward"]["entries"]
    assert set(entries) == {"ours", "aer"}
    for entry in (*entries.values(), results["gradient"]):
        assert 0 <= entry["deviation"] < 1e-6
    assert entries["aer"]["deviation"] > 0
    for times in (entries["ours"]["ms"], entries["aer"]["ms"], results["gradient"]["ours"]):
        assert 0 < times["low"] <= times["median"] <= times["high"]
    assert results["gradient"]["ratio"] > 1
    assert results["scaling"][0]["qubits"] == 2
    assert max(map(len, text.splitlines())) <= 100
    assert "shift rule" in text


def test_results_say_where_and_with_what(smoke):
    _, results = smoke
    assert results["versions"]["qiskit-aer"]
    assert results["machine"]["cores"] > 0
    assert results["command"]["smoke"] is True
    assert results["goals"] == []


@pytest.mark.parametrize(("milliseconds", "met"), [(9.9, True), (10.1, False)])
def test_goals_are_judged_by_the_measured_number(milliseconds, met, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = load(BENCHMARKS / "noise.py")
    entry = {"ms": {"median": milliseconds}, "deviation": 1e-9}
    gradient = {"ours": {"median": 20.0}, "deviation": 1e-5}
    goals = module.judge({"forward": {"entries": {"ours": entry}}, "gradient": gradient})
    assert [goal["met"] for goal in goals] == [met, True, False]


def test_an_unknown_choice_is_refused():
    done = run("--rounds", "0")
    assert done.returncode == 2
    assert "'0'" in done.stderr
