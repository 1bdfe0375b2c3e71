"""How long the first call of a fresh ``QuantumLayer`` takes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from processes import Worker, WorkerFailedError
from workloads import CIRCUITS, SMOKE


def compile_times(threads: int, smoke: bool) -> dict[str, Any]:
    """Per circuit, seconds of the first forward + backward.

    - ``new_process_s``: in a new process, with our kernels already compiled on disk;
    - ``fresh_layer_s``: of one more layer in that process;
    - ``empty_cache_s``: with an empty cache of kernels, as once after an installation;
    - ``network_s``: Qiskit's own time for the circuit and its ``EstimatorQNN``, not in the others.
    """
    entries = []
    for name in ("paqm", "qcnn12", "n8"):
        workload = (SMOKE if smoke else CIRCUITS)[name]
        entry: dict[str, Any] = {"circuit": name, "n": workload.num_qubits}
        entries.append(entry)
        with tempfile.TemporaryDirectory() as folder:
            try:
                if not smoke:
                    entry["empty_cache_s"] = _first_calls(name, threads, smoke, folder)[0][
                        "first_s"
                    ]
                first, second = _first_calls(name, threads, smoke, folder)
            except WorkerFailedError as error:
                entry["failed"] = str(error)
                continue
        entry |= {"new_process_s": first["first_s"], "fresh_layer_s": second["first_s"]}
        entry["network_s"] = first["build_s"]
    return {"threads": threads, "circuits": entries}


def _first_calls(name: str, threads: int, smoke: bool, folder: str) -> list[dict[str, Any]]:
    """Two fresh layers, one after the other, in one new process."""
    environment = {"NUMBA_CACHE_DIR": folder}
    with Worker(
        threads,
        peer="ours",
        circuit=name,
        folder=Path(folder),
        smoke=smoke,
        environment=environment,
    ) as worker:
        worker.ready()
        return [worker.ask("prepare") for _ in range(2)]
