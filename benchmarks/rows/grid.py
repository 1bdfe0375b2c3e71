"""The grid: angle-encoded circuits over qubits × batch, ours and the peers, one and two threads.

In a cell everybody is measured in turn, with every number of threads, so that what the machine does
beside it hits all alike; compared are lower quartiles. A cell that is stored already is not
measured again: a run that was cut off goes on with the same ``--json``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from command import store
from peers import PEERS
from processes import Worker, WorkerFailedError
from timing import spread

from rows.comparison import TOLERANCE, deviations

QUBITS = tuple(range(4, 21, 2))
BATCHES = (1, 2, 4, 8, 32, 128, 512)
AMPLITUDES = 1 << 23
"""Cells with more of them (64 MiB of states) are left out: a peer keeps a state per gate."""
FLOOR_QUBITS = 16
SLOW_S = 3.0
"""A peer that took so long in a smaller cell of the same width sits out the larger ones."""
GRID_PEERS = ("ours", "tensorcircuit", "torch", "deepquantum", "pennylane")

Cell = dict[str, Any]
Key = tuple[str, int]


@dataclass
class Grid:
    """How to measure.

    Attributes:
        threads: Numbers of threads; every peer has a process for each.
        peers: Names, ours first.
        rounds: Turns that everybody gets in a cell.
        seconds: Of one turn; one call at least.
        folder: For the arrays that peers save.
        log: Where progress goes.
        noise: Of the circuits, see :class:`workloads.Workload`.
        double: Whether they run in complex128.
    """

    threads: list[int]
    peers: list[str]
    rounds: int
    seconds: float
    folder: Path
    log: Callable[[str], None]
    noise: float = 0.0
    double: bool = False
    slow: dict[tuple[str, int, int], float] = field(default_factory=dict)

    def measure(self, cells: Iterable[tuple[int, int]], keep: Callable[[Cell], None]) -> None:
        """Measure cells (n, B), smaller batches first, and hand over each as it is done."""
        with ExitStack() as stack:
            workers = {
                (name, threads): stack.enter_context(
                    Worker(threads, peer=name, folder=self.folder, smoke=False)
                )
                for name in self.peers
                if PEERS[name].version() is not None
                for threads in self.threads
            }
            for worker in workers.values():
                worker.ready()
            floors = {t: stack.enter_context(Worker(t)) for t in self.threads}
            for worker in floors.values():
                worker.ready()
            for qubits, batch in cells:
                self.log(f"n = {qubits}, B = {batch}")
                cell = self._cell(workers, qubits, batch)
                if qubits >= FLOOR_QUBITS and not self.noise:
                    task = {"name": "sweep_floor", "qubits": qubits, "batch": batch}
                    cell["floor_ms"] = {
                        str(t): worker.ask("task", smoke=False, **task)["floor_ms"]
                        for t, worker in floors.items()
                    }
                keep(cell)

    def _cell(self, workers: dict[Key, Worker], qubits: int, batch: int) -> Cell:
        times: dict[Key, list[float]] = {}
        why: dict[str, str] = {}
        reference: str | None = None
        for (name, threads), worker in workers.items():
            if self.slow.get((name, threads, qubits), 0.0) > SLOW_S:
                why[f"{name} {threads}"] = f"over {SLOW_S:g} s in a smaller batch"
                continue
            try:
                circuit = {"noise": self.noise, "double": self.double}
                worker.ask("switch", num_qubits=qubits, batch=batch, **circuit)
                prepared = worker.ask("prepare")
            except WorkerFailedError as error:
                why[f"{name} {threads}"] = str(error)
                continue
            reference = reference or prepared["arrays"]
            found = max(deviations(prepared["arrays"], reference).values())
            if found > TOLERANCE:
                why[f"{name} {threads}"] = f"deviates by {found:.0e}"
            else:
                times[name, threads] = []
        for _ in range(self.rounds):
            for key, taken in times.items():
                taken += workers[key].ask("measure", what="both", seconds=self.seconds)["seconds"]
        for (name, threads), taken in times.items():
            self.slow[name, threads, qubits] = min(taken)
        measured = [
            {"peer": name, "threads": threads, "both_ms": spread(taken)}
            for (name, threads), taken in times.items()
        ]
        return {"n": qubits, "batch": batch, "measured": measured, "not_measured": why}


def cells_of(
    qubits: Iterable[int], batches: Iterable[int], noisy: bool = False
) -> list[tuple[int, int]]:
    """The cells that fit, by width and then by batch; a density matrix has 4ⁿ entries."""
    return [(n, b) for n in qubits for b in sorted(batches) if b << n * (1 + noisy) <= AMPLITUDES]


def grid_results(begun: Cell, path: Path | None) -> Cell:
    """Results with the cells that are stored already, and what the grid leaves out."""
    stored = json.loads(path.read_text("utf-8")) if path is not None and path.exists() else {}
    left_out = f"more than {AMPLITUDES:,} amplitudes; a peer over {SLOW_S:g} s a call"
    return {**begun, "left_out": left_out, "cells": stored.get("cells", [])}


def run_grid(grid: Grid, cells: list[tuple[int, int]], results: Cell, path: Path | None) -> None:
    """Measure what ``results["cells"]`` lacks; what is there is kept, and stored cell by cell."""
    done = {(cell["n"], cell["batch"]) for cell in results["cells"]}

    def keep(cell: Cell) -> None:
        results["cells"].append(cell)
        results["cells"].sort(key=lambda c: (c["n"], c["batch"]))
        store(results, path)

    grid.measure([cell for cell in cells if cell not in done], keep)
