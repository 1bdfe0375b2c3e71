"""A promise across `training` and `evaluation`: they do not grow, see `soak`.

Tests no single module.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(("way", "steps"), [("train", 2000), ("noisy", 300), ("evaluate", 100)])
def test_memory_is_flat_over_many_steps(way, steps):
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.soak", way, "--steps", str(steps)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    grown = re.search(r"grown by (-?[\d.]+) MB", done.stdout)
    print(done.stdout)
    assert float(grown[1]) < 10
