"""``benchmarks/engine.py --grid`` measures what is lacking, and its table says what is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from tables import grid

    return grid


def entry(peer, threads, low):
    return {"peer": peer, "threads": threads, "both_ms": {"low": low, "median": 2 * low}}


def cell(ours, peers, floor=None):
    measured = [entry("ours", 1 + i, low) for i, low in enumerate(ours)]
    measured += [entry(f"peer{i}", 1 + i, low) for i, low in enumerate(peers)]
    floors = {} if floor is None else {"floor_ms": {"1": floor, "2": floor}}
    return {"n": 16, "batch": 2, "measured": measured, **floors}


def test_a_cell_is_marked_where_a_peer_one_thread_or_the_floor_is_better(tables):
    assert tables.marks(cell([2.0, 1.0], [4.0, 4.0], 1.0), 1) == []
    assert tables.marks(cell([2.0, 1.0], [1.0, 4.0], 0.9), 1) == ["SLOWER", "over 2 floors"]
    assert tables.marks(cell([2.0, 3.0], [4.0, 4.0]), 2) == ["one thread is faster"]


def test_the_sums_are_over_cells_with_a_peer(tables):
    cells = [cell([1.0], [3.0]), cell([2.0], [1.0]), cell([1.0], [])]
    machine = {"cpu": "a processor", "cores": 2}
    about = {"date": "today", "machine": machine, "command": {}, "left_out": "nothing"}
    results = {"cells": cells, **about}
    text = tables.render_grid(results)
    assert "1.75 × the best peer in the median of 2 cells, 0.50 at least; slower in 1" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.slow
def test_a_grid_that_was_cut_off_goes_on(tmp_path):
    path = tmp_path / "grid.json"

    def run(batches):
        options = f"--grid --smoke --only torch --qubits 2 --threads 1 --batches {batches}"
        command = [sys.executable, str(BENCHMARKS / "engine.py"), *options.split()]
        done = subprocess.run(
            [*command, "--json", str(path)], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done, json.loads(path.read_text("utf-8"))["cells"]

    first = run("1")[1]
    done, cells = run("1,4")
    assert cells[0] == first[0]
    assert [(c["n"], c["batch"]) for c in cells] == [(2, 1), (2, 4)]
    assert "B = 1" not in done.stderr
    assert [e["peer"] for e in cells[1]["measured"]] == ["ours", "torch"]
