"""One process that runs one peer on one circuit with one number of threads.

The parent writes one JSON request per line and reads one JSON answer per line:

- ``{"do": "switch", "num_qubits": n, "batch": b}``: go over to the circuit that
  :func:`workloads.angle_circuit` makes of these arguments;
- ``{"do": "prepare"}``: build, call once, save the arrays of that call;
- ``{"do": "arrays", "batch": b}``: save the arrays for the first b samples;
- ``{"do": "measure", "what": "forward" or "both", "seconds": s}``: run times;
- ``{"do": "task", "name": …}``: run one of :data:`rows.solo.TASKS` and answer with its result; what
  else the request holds goes to the task.

Libraries read their thread limits while they are imported, and compilers keep what they compiled:
so every combination has a process of its own, and the parent lets them run in turn.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from peers import PEERS
from timing import repeat
from workloads import CIRCUITS, SMOKE, Workload, angle_circuit

Message = dict[str, Any]


class CircuitWorker:
    """Answers the requests about one peer and one circuit."""

    def __init__(self, peer: str, workload: Workload, threads: int, folder: Path) -> None:
        """Import the peer.

        Args:
            peer: A key of :data:`peers.PEERS`.
            workload: The circuit.
            threads: As the environment says already.
            folder: Where arrays are saved.
        """
        self.peer, self.workload, self.threads, self.folder = peer, workload, threads, folder
        self.module = importlib.import_module(f"peers.{PEERS[peer].module}")
        self.runner: Any = None

    def limit(self) -> int | str:
        """Samples to measure, or why there are none."""
        limit = getattr(self.module, "batch_limit", lambda workload: workload.batch)
        return cast("int | str", limit(self.workload))

    def switch(self, **circuit: Any) -> Message:
        """Go over to another circuit; what was built is let go."""
        self.workload, self.runner = angle_circuit(**circuit), None
        return {}

    def prepare(self) -> Message:
        """Build and call once: compilers do their work here."""
        batch = self.limit()
        if isinstance(batch, str):
            return {"not_run": batch}
        data = self.workload.data(batch)
        start = time.perf_counter()
        self.runner = self.module.build(self.workload, data, self.threads)
        built = time.perf_counter()
        arrays = self.runner.arrays()
        first = time.perf_counter()
        self.runner.forward()
        path = self._save(arrays, batch)
        return {"batch": batch, "build_s": built - start, "first_s": first - built, "arrays": path}

    def arrays(self, batch: int) -> Message:
        """What a fresh build computes for the first samples."""
        data = self.workload.data(batch)
        arrays = self.module.build(self.workload, data, self.threads).arrays()
        return {"arrays": self._save(arrays, batch)}

    def measure(self, what: str, seconds: float) -> Message:
        """Run times of one of the runner's two calls, and how many cores were busy."""
        wall, cpu = time.perf_counter(), time.process_time()
        times = repeat(getattr(self.runner, what), seconds)
        cores = (time.process_time() - cpu) / (time.perf_counter() - wall)
        return {"seconds": times, "cores": cores}

    def _save(self, arrays: Any, batch: int) -> str:
        path = self.folder / f"{self.peer}-{self.workload.name}-{self.threads}-{batch}.npz"
        np.savez(path, **arrays._asdict())
        return str(path)


def answer(worker: CircuitWorker | None, request: Message, threads: int) -> Message:
    """Dispatch one request."""
    kind = request.pop("do")
    if worker is None:
        solo = importlib.import_module("rows.solo")
        name, smoke = request.pop("name"), request.pop("smoke")
        return cast(Message, solo.TASKS[name](threads, smoke, **request))
    return cast(Message, getattr(worker, kind)(**request))


def main() -> None:
    """Serve until the parent closes the pipe; the configuration is the only argument."""
    warnings.simplefilter("ignore")
    # what libraries print must not mix with answers
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    config = json.loads(sys.argv[1])
    torch.set_num_threads(config["threads"])
    worker = None
    try:
        if config["peer"] is not None:
            circuits = SMOKE if config["smoke"] else CIRCUITS
            folder = Path(config["folder"])
            chosen = config["circuit"]
            workload = angle_circuit(2, 1) if chosen is None else circuits[chosen]
            worker = CircuitWorker(config["peer"], workload, config["threads"], folder)
        print(json.dumps({"ready": True}), file=channel, flush=True)
    except Exception as error:
        print(json.dumps(_told(error)), file=channel, flush=True)
        return
    for line in sys.stdin:
        try:
            result = answer(worker, json.loads(line), config["threads"])
        except Exception as error:  # the parent shows it and decides what to ask next
            result = _told(error)
        print(json.dumps(result), file=channel, flush=True)


def _told(error: Exception) -> Message:
    traceback.print_exc()
    return {"error": f"{type(error).__name__}: {error}".splitlines()[0]}


if __name__ == "__main__":
    main()
