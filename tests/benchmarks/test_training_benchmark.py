"""``benchmarks/training.py`` runs on every machine and stores what it measured."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.mark.slow
def test_a_step_is_measured_on_every_machine(tmp_path):
    command = [sys.executable, str(BENCHMARKS / "training.py"), "--smoke", "--json"]
    path = tmp_path / "training.json"
    done = subprocess.run(
        [*command, str(path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(path.read_text("utf-8"))
    machines = [step["machine"] for step in results["steps"]]
    assert machines[:3] == ["statevector", "aer", "noisy:depolarizing(0.01)"]
    assert len(machines) == 6
    for times in (*results["steps"], *results["circuit"].values(), *results["rows"]):
        assert 0 < times["low"] <= times["median"] <= times["high"]
    assert [one["rows"] for one in results["rows"]] == [10, 100]
    assert all(name in done.stdout for name in machines)
    assert max(map(len, done.stdout.splitlines())) <= 80
