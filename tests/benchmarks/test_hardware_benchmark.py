"""``benchmarks/hardware.py`` runs, and prints what it stored."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).parent.parent.parent / "benchmarks" / "hardware.py"


def test_executions_are_those_planned_and_the_line_has_tiles_that_touch(tmp_path):
    path = tmp_path / "hardware.json"
    command = [sys.executable, str(SCRIPT), "--smoke", "--json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    lines = json.loads(path.read_text("utf-8"))["lines"]
    assert all(line["planned"] == line["executed"] for line in lines)
    crossed = [line for line in lines if line["device"].endswith("+zz(0.02)")]
    assert [line["used"] for line in crossed] == [1, 2, 2, 2]
    assert crossed[2]["rms"] == crossed[3]["rms"] != crossed[1]["rms"]
    assert done.stdout.count("line of 13+zz(0.02)") == 4
