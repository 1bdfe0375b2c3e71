r"""The engine against its peers: one command, ratios measured in one run.

    python benchmarks/engine.py [--smoke] [--rows paqm,qcnn,…] [--threads 1,2] [--rounds N]
                                [--json PATH] [--only ours,tensorcircuit,…]
    python benchmarks/engine.py --rows capabilities [--json PATH] …
    python benchmarks/engine.py --grid [--qubits 4,6,…] [--batches 1,2,…] [--threads 1,2]
                                [--rounds N] [--json PATH] [--only …]

Its environment is its own (``requirements.txt`` beside this file says how to make it). Tables go to
the standard output, progress to the standard error. A peer that is not installed is listed as such.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from circuits.asked import smoke_tables, tables
from circuits.contenders import NAMES as CAPABILITIES
from command import begin, log, names_of, positive, positives, store
from peers import PEERS
from processes import run_tasks
from rows.comparison import Plan, compare
from rows.compile_time import compile_times
from rows.grid import BATCHES, GRID_PEERS, QUBITS, Grid, cells_of, grid_results, run_grid
from tables.engine import render
from tables.goals import judge
from tables.grid import render_grid

CIRCUIT_ROWS = {"paqm": ("paqm",), "qcnn": ("qcnn12", "qcnn192"), "n8": ("n8",)}
TASK_ROWS = ("blocks", "compile", "gemm", "memory", "scaling", "aer")
ROWS = (*CIRCUIT_ROWS, *TASK_ROWS, *CAPABILITIES)
GROUPS = {"capabilities": CAPABILITIES}
"""Names that ``--rows`` takes for several rows."""
ALWAYS = ("ours", "stock")
SMOKE_ROWS = ("paqm", "qcnn", "blocks", "gemm", "memory", "scaling", *CAPABILITIES)
PACKAGES = (
    *("torch", "numpy", "numba", "qiskit", "qiskit-machine-learning", "qiskit-aer", "pennylane"),
    *("pennylane-lightning", "deepquantum", "tensorcircuit-ng", "jax", "jaxlib"),
    "qkan",
)
# glibc gives freed blocks above this size back to the system at once, and does not adapt the limit
EXACT_PEAKS = {"MALLOC_MMAP_THRESHOLD_": "65536"}


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and store what ``--json`` asks for."""
    options = _options(arguments)
    if options.grid:
        _grid(options)
        return
    results: dict[str, Any] = {**begin(options, PACKAGES), "rows": {}}
    for threads in options.threads:
        _measure(options, threads, results["rows"])
    results["machine"]["load_after"] = os.getloadavg()[0]
    results["goals"] = [] if options.smoke else judge(results)
    print(render(results), end="")
    store(results, options.json)


def _grid(options: argparse.Namespace) -> None:
    """Measure the grid, or what a stored one lacks, and print it."""
    results = grid_results(begin(options, PACKAGES), options.json)
    with tempfile.TemporaryDirectory() as folder:
        names = [name for name in PEERS if name in ("ours", *options.only)]
        seconds = 0.01 if options.smoke else 0.1
        grid = Grid(options.threads, names, options.rounds, seconds, Path(folder), log)
        run_grid(grid, cells_of(options.qubits, options.batches), results, options.json)
    print(render_grid(results), end="")


def _measure(options: argparse.Namespace, threads: int, rows: dict[str, list[Any]]) -> None:
    """All rows that were asked for, with one number of threads."""
    names = [name for name in PEERS if name in (*ALWAYS, *options.only)]
    with tempfile.TemporaryDirectory() as folder:
        seconds = 0.01 if options.smoke else 0.4
        plan = Plan(options.rounds, seconds, options.smoke, Path(folder))
        for row, circuits in CIRCUIT_ROWS.items():
            # in smoke mode one batch size stands for both
            for circuit in circuits[: 1 if options.smoke else None] if row in options.rows else ():
                log(f"{circuit}, {threads} threads")
                table = compare(circuit, names, threads, plan, log)
                rows.setdefault("circuits", []).append(table)
    for group in _groups(options):
        log(f"{', '.join(group)}, {threads} threads")
        if group == ["compile"]:
            results = {"compile": compile_times(threads, options.smoke)}
        else:
            environment = EXACT_PEAKS if "memory" in group else None
            results = run_tasks(group, threads, options.smoke, environment)
        for row, result in results.items():
            rows.setdefault(row, []).append({"threads": threads, **result})
    if options.smoke:
        found = smoke_tables(options.rows, threads, options.only)
    else:
        found = tables(options.rows, threads, options.only, options.rounds, log)
    rows.setdefault("capabilities", []).extend(found)


def _groups(options: argparse.Namespace) -> list[list[str]]:
    """Tasks that share a process: every one has its own, except in smoke mode."""
    chosen = [row for row in TASK_ROWS if row in options.rows]
    if not options.smoke:
        return [[row] for row in chosen]
    together = [row for row in chosen if row != "compile"]
    return [group for group in (together, ["compile"]) if group and set(group) <= set(chosen)]


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the engine against its peers.")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, ours and the stock pair")
    names = (*ROWS, *GROUPS)
    parser.add_argument("--rows", type=names_of(names), help=f"of {', '.join(names)}; default all")
    parser.add_argument("--threads", type=positives, default=None, help="default 1,2")
    parser.add_argument("--rounds", type=positive, default=None, help="turns per peer; default 7")
    parser.add_argument("--json", type=Path, default=None, help="where to store all results")
    parser.add_argument("--grid", action="store_true", help="angle-encoded circuits over n × B")
    parser.add_argument("--qubits", type=positives, help="of the grid; default 4,6,…,20")
    parser.add_argument("--batches", type=positives, help="of the grid; default 1,2,4,…,512")
    parser.add_argument(
        "--only",
        type=names_of(tuple(PEERS)),
        help=f"of {', '.join(PEERS)}; default all; ours and stock are always there",
    )
    options = parser.parse_args(arguments)
    smoke = options.smoke
    asked = options.rows or list(SMOKE_ROWS if smoke else ROWS)
    options.rows = [row for name in asked for row in GROUPS.get(name, (name,))]
    options.threads = options.threads or ([1] if smoke else [1, 2])
    options.rounds = options.rounds or (1 if smoke else 7)
    chosen = GRID_PEERS if options.grid else PEERS
    options.only = options.only or list(ALWAYS if smoke else chosen)
    options.qubits = options.qubits or list(QUBITS)
    options.batches = options.batches or list(BATCHES)
    return options


if __name__ == "__main__":
    main()
