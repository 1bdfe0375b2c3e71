r"""Exact values and gradients under a device's noise: the density-matrix engine against Aer.

    python benchmarks/noise.py [--smoke] [--rounds N] [--threads N] [--json PATH]
    python benchmarks/noise.py --grid [--double] [--qubits 2,3,…] [--batches 1,4,…]
                               [--threads 1,2] [--rounds N] [--json PATH]

The circuit is the QCNN block's (amplitude encoding, two layers) compiled for FakeTorino; readout
error is left out, because Aer's EstimatorV2 reads its values off the state. Both run on the same
ISA circuit in one process, in turn. Tables go to the standard output, progress to standard error.

``--grid`` measures angle-encoded circuits under depolarising noise over qubits × batch instead,
beside TensorCircuit-NG and PennyLane with density matrices (DeepQuantum has no channels on two
qubits); its environment is that of ``benchmarks/engine.py``.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from command import begin, log, positive, positives, store
from rows.grid import Grid, cells_of, grid_results, run_grid
from rows.noise import Case, Results, forward, gradient, scaling
from tables.grid import render_grid
from tables.noise import judge, render
from timing import thread_environment

PACKAGES = ("torch", "numpy", "qiskit", "qiskit-aer", "qiskit-ibm-runtime")
GRID_PACKAGES = ("numba", "tensorcircuit-ng", "jax", "jaxlib", "pennylane")
PEERS = ("ours", "tensorcircuit", "pennylane")
QUBITS = list(range(2, 9))
BATCHES = [1, 4, 16, 64, 256]
NOISE = 0.01


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and store what ``--json`` asks for."""
    options = _options(arguments)
    if options.grid:
        _grid(options)
        return
    # before torch and Aer are loaded
    os.environ.update(thread_environment(options.threads[0]))
    results: Results = begin(options, PACKAGES)
    import torch

    torch.set_num_threads(options.threads[0])
    qubits, batch = (2, 4) if options.smoke else (4, 64)
    case = Case(qubits)
    log("forward")
    results["forward"] = forward(case, batch, options)
    log("gradient")
    results["gradient"] = gradient(case, 4 if options.smoke else 8, options)
    log("scaling")
    results["scaling"] = [scaling(n, options) for n in ((2,) if options.smoke else (2, 4, 6, 8))]
    results["machine"]["load_after"] = os.getloadavg()[0]
    results["goals"] = [] if options.smoke else judge(results)
    print(render(results), end="")
    store(results, options.json)


def _grid(options: argparse.Namespace) -> None:
    """Measure the grid, or what a stored one lacks, and print it."""
    results = grid_results(begin(options, (*PACKAGES, *GRID_PACKAGES)), options.json)
    with tempfile.TemporaryDirectory() as folder:
        seconds = 0.01 if options.smoke else 0.1
        kind = {"noise": NOISE, "double": options.double}
        where = Path(folder)
        grid = Grid(options.threads, list(PEERS), options.rounds, seconds, where, log, **kind)
        cells = cells_of(options.qubits, options.batches, noisy=True)
        run_grid(grid, cells, results, options.json)
    print(render_grid(results), end="")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure noisy values and gradients against Aer.")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, without the whole device")
    parser.add_argument("--rounds", type=positive, default=None, help="turns; default 5")
    parser.add_argument("--threads", type=positives, default=None, help="default 1; 1,2 of --grid")
    parser.add_argument("--grid", action="store_true", help="angle-encoded circuits over n × B")
    parser.add_argument("--double", action="store_true", help="the grid in complex128")
    parser.add_argument("--qubits", type=positives, default=QUBITS, help="of the grid; default 2…8")
    parser.add_argument("--batches", type=positives, default=BATCHES, help="default 1,4,…,256")
    parser.add_argument("--json", type=Path, default=None, help="where to store all results")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.smoke else 5)
    options.threads = options.threads or ([1, 2] if options.grid and not options.smoke else [1])
    return options


if __name__ == "__main__":
    main()
