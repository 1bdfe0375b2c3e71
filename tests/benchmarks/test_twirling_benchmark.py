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
        [*command, "--seeds", "0,1", "--machine", "crosstalk", "--json", str(path)],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(path.read_text("utf-8"))["machines"]
    assert "| crosstalk | without | twirled |" in done.stdout
    assert len(found["rows"]) == 2 * 2 * 3
    assert all(0 < row["rms"] < 0.5 for row in found["rows"])
    without, twirled = found["layers"]
    assert without["chi2"] > 3 * twirled["chi2"]
