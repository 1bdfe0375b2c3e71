"""``benchmarks/hyper_connections.py`` measures three decoders and stores what it found."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.mark.slow
def test_a_step_is_measured_with_each_residual(tmp_path):
    command = [sys.executable, str(BENCHMARKS / "hyper_connections.py"), "--smoke", "--json"]
    path = tmp_path / "hyper_connections.json"
    done = subprocess.run(
        [*command, str(path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(path.read_text("utf-8"))
    assert list(results["steps"]) == ["plain residual", "mHC, transformers'", "mHC, ours"]
    for times in results["steps"].values():
        assert 0 < times["best"] <= times["low"] <= times["median"] <= times["high"]
    assert 0 < results["difference"] < 1e-5
    assert all(name in done.stdout for name in results["steps"])
    assert max(map(len, done.stdout.splitlines())) <= 80
