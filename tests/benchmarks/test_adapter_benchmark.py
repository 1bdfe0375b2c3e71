"""``benchmarks/adapter.py`` measures a step with each projection and stores what it found."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.mark.slow
def test_a_step_is_measured_with_each_projection(tmp_path):
    command = [sys.executable, str(BENCHMARKS / "adapter.py"), "--smoke", "--json"]
    path = tmp_path / "adapter.json"
    done = subprocess.run(
        [*command, str(path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(path.read_text("utf-8"))
    assert list(results["steps"]) == ["quantum", "classical", "frozen", "linear"]
    for times in results["steps"].values():
        assert 0 < times["best"] <= times["low"] <= times["median"] <= times["high"]
    sizes = results["sizes"]
    assert sizes["quantum"] == {**sizes["classical"], "bytes": sizes["quantum"]["bytes"]}
    assert sizes["frozen"]["trained"] == sizes["quantum"]["trained"] - 3 * 3 * 6
    assert all(name in done.stdout for name in results["steps"])
    assert max(map(len, done.stdout.splitlines())) <= 80
