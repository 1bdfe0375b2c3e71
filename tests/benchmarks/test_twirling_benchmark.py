"""``benchmarks/twirling.py`` measures, prints a table for each machine, and stores its numbers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_short_run_measures_and_stores(tmp_path):
    path = tmp_path / "twirling.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "twirling.py"), "--smoke"]
    done = subprocess.run(
        [*command, "--json", str(path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(path.read_text("utf-8"))
    assert done.stdout.count("with twirling") == 3
    assert len(results["rows"]) == 6
    for row in results["rows"]:
        assert len(row["rms"]) == results["seeds"]
        assert all(0 < value < 0.5 for value in row["rms"])
