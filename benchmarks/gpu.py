r"""The engine on a CUDA device, beside the CPU sweeps in the same run.

    python benchmarks/gpu.py [--smoke] [--rows paqm,qcnn12,…] [--threads N] [--rounds N]
                             [--graphs] [--compile] [--json PATH]

Every value and gradient is compared with complex128 on the CPU, and one step of every circuit goes
through torch's profiler, which must see no copy of batch data between host and device. The exit
status is 1 where either fails and 2 without a CUDA device. ``--smoke`` rehearses everything with
CPU tensors of tiny sizes and says what can't be checked that way. ``--graphs`` and ``--compile``
measure the same step as a CUDA graph and by ``torch.compile``, to decide whether they are worth it.

The environment is the package's own, with a CUDA build of torch. Aer runs on the GPU only with
qiskit-aer-gpu in place of qiskit-aer (``make gpu``).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import torch
from command import begin, log, names_of, positive, store
from device import Device
from engine import PACKAGES
from rows.gpu import Plan, aer, circuit_row, faults, scaling
from tables.gpu import render
from workloads import CIRCUITS

ROWS = (*CIRCUITS, "scaling", "aer")


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and store what ``--json`` asks for; returns the exit status."""
    options = _options(arguments)
    if not options.smoke and not torch.cuda.is_available():
        reason = "this torch is built without CUDA" if not torch.version.cuda else "no GPU answers"
        print(f"error: no CUDA device ({reason}); --smoke rehearses on the CPU", file=sys.stderr)
        return 2
    torch.set_num_threads(options.threads)
    device = Device(rehearsal=options.smoke)
    results: dict[str, Any] = {
        **begin(options, (*PACKAGES, "qiskit-aer-gpu")),
        "device": device.describe(),
        "rows": _measure(options, device),
    }
    results["machine"]["load_after"] = os.getloadavg()[0]
    results["faults"] = faults(results["rows"])
    print(render(results), end="")
    store(results, options.json)
    return 1 if results["faults"] else 0


def _measure(options: argparse.Namespace, device: Device) -> dict[str, Any]:
    chosen = (("graph", options.graphs), ("compile", options.compile))
    variants = tuple(name for name, wanted in chosen if wanted)
    seconds = 0.01 if options.smoke else 0.4
    plan = Plan(device, options.rounds, seconds, options.smoke, variants, log)
    rows: dict[str, Any] = {}
    for name in options.rows:
        log(name)
        if name in CIRCUITS:
            rows.setdefault("circuits", []).append(circuit_row(name, plan))
        else:
            rows[name] = {"scaling": scaling, "aer": aer}[name](plan)
    return rows


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the engine on a CUDA device.")
    parser.add_argument("--smoke", action="store_true", help="rehearse on the CPU, tiny sizes")
    parser.add_argument("--rows", type=names_of(ROWS), help=f"of {', '.join(ROWS)}; default all")
    parser.add_argument("--threads", type=positive, help="of the CPU; default all cores")
    parser.add_argument("--rounds", type=positive, help="turns per contender; default 7")
    parser.add_argument("--graphs", action="store_true", help="also replay steps as CUDA graphs")
    parser.add_argument("--compile", action="store_true", help="also run steps by torch.compile")
    parser.add_argument("--json", type=Path, default=None, help="where to store all results")
    options = parser.parse_args(arguments)
    options.rows = options.rows or list(ROWS)
    options.threads = options.threads or (1 if options.smoke else os.cpu_count() or 1)
    options.rounds = options.rounds or (1 if options.smoke else 7)
    return options


if __name__ == "__main__":
    sys.exit(main())
