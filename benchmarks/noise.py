r"""Exact values and gradients under a device's noise: the density-matrix engine against Aer.

    python benchmarks/noise.py [--smoke] [--rounds N] [--threads N] [--json PATH]

The circuit is the QCNN block's (amplitude encoding, two layers) compiled for FakeTorino; readout
error is left out, because Aer's EstimatorV2 reads its values off the state. Both run on the same
ISA circuit in one process, in turn. Tables go to the standard output, progress to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from noise_rows import Case, Results, forward, gradient, scaling
from tables.noise import judge, render
from timing import thread_environment

PACKAGES = ("torch", "numpy", "qiskit", "qiskit-aer", "qiskit-ibm-runtime")


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and store what ``--json`` asks for."""
    options = _options(arguments)
    # before torch and Aer are loaded
    os.environ.update(thread_environment(options.threads))
    results: Results = {
        "format": 1,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": {**vars(options), "json": None if options.json is None else str(options.json)},
        "versions": {name: version(name) for name in PACKAGES},
        "machine": _machine(),
    }
    import torch

    torch.set_num_threads(options.threads)
    qubits, batch = (2, 4) if options.smoke else (4, 64)
    case = Case(qubits)
    _log("forward")
    results["forward"] = forward(case, batch, options)
    _log("gradient")
    results["gradient"] = gradient(case, 4 if options.smoke else 8, options)
    _log("scaling")
    results["scaling"] = [scaling(n, options) for n in ((2,) if options.smoke else (2, 4, 6, 8))]
    results["machine"]["load_after"] = os.getloadavg()[0]
    results["goals"] = [] if options.smoke else judge(results)
    print(render(results), end="")
    if options.json is not None:
        text = json.dumps(results, indent=1, ensure_ascii=False) + "\n"
        options.json.write_text(text, encoding="utf-8")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure noisy values and gradients against Aer.")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, without the whole device")
    parser.add_argument("--rounds", type=_positive, default=None, help="turns; default 5")
    parser.add_argument("--threads", type=_positive, default=1, help="default 1")
    parser.add_argument("--json", type=Path, default=None, help="where to store all results")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.smoke else 5)
    return options


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def _machine() -> Results:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "?")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
    }


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
