"""The device under test: clocks, peak memory, and what the profiler says about a step."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from timing import Call, repeat
from torch.profiler import ProfilerActivity, profile, record_function

from qvlm_qiskit.quantum.statevector import engine as statevector
from qvlm_qiskit.quantum.torch_support import transforms

COPY_LIMIT = 64
"""Bytes of a copy between host and device that a step may make: less than any batch has."""

STEP = "measured step"
READS = ("aten::item", "aten::_local_scalar_dense", "aten::nonzero")
WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize", "cudaMemcpy")

Event = dict[str, Any]
Result = dict[str, Any]
T = TypeVar("T")


class Device:
    """A CUDA device, or CPU tensors that take the same way through the engine."""

    def __init__(self, rehearsal: bool) -> None:
        """Choose it; ``rehearsal`` means the CPU."""
        self.rehearsal = rehearsal
        self.name = "cpu" if rehearsal else "cuda"

    @contextmanager
    def executor(self) -> Iterator[None]:
        """In a rehearsal, CPU tensors are kept from the sweeps and from looks, as CUDA's are."""
        before = statevector.MAX_SWEEP_QUBITS, transforms.may_look
        if self.rehearsal:
            statevector.MAX_SWEEP_QUBITS, transforms.may_look = -1, lambda values: False
        try:
            yield
        finally:
            statevector.MAX_SWEEP_QUBITS, transforms.may_look = before

    def synchronize(self) -> None:
        """Wait until the device has done everything."""
        if not self.rehearsal:
            torch.cuda.synchronize()

    def repeat(self, call: Call, seconds: float) -> list[float]:
        """Seconds of each of as many calls as fit into ``seconds``, by the device's own clock."""
        if self.rehearsal:
            return repeat(call, seconds)
        times: list[float] = []
        end = time.perf_counter() + seconds
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        while not times or time.perf_counter() < end:
            start.record()
            call()
            stop.record()
            torch.cuda.synchronize()
            times.append(start.elapsed_time(stop) / 1000)
        return times

    def peak_bytes(self, call: Call) -> int | None:
        """How far allocated device memory rises during a call; None in a rehearsal."""
        if self.rehearsal:
            return None
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before

    def profile(self, call: Call) -> Result:
        """What :func:`findings` says of one call, which has been made before."""
        activities = [ProfilerActivity.CPU]
        if not self.rehearsal:
            activities.append(ProfilerActivity.CUDA)
        self.synchronize()
        with profile(activities=activities) as profiler:
            with record_function(STEP):
                call()
            self.synchronize()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trace.json"
            profiler.export_chrome_trace(str(path))
            events = json.loads(path.read_text("utf-8"))["traceEvents"]
        return findings(events, self.rehearsal)

    def describe(self) -> Result:
        """Name, memory and driver."""
        if self.rehearsal:
            return {"name": "CPU tensors, a rehearsal", "driver": None, "cuda": None}
        properties = torch.cuda.get_device_properties(0)
        return {
            "name": properties.name,
            "memory_gib": properties.total_memory / 2**30,
            "driver": _driver(),
            "cuda": torch.version.cuda,
            "float32_matmul_precision": torch.get_float32_matmul_precision(),
        }


def findings(events: list[Event], rehearsal: bool) -> Result:
    """Judge the trace of one step.

    Args:
        events: Of a Chrome trace of torch's profiler, with one step annotated as :data:`STEP`.
        rehearsal: Whether there was no device, so that copies can't be seen.

    Returns:
        Counts, and under ``"faults"`` what must not be in a step: copies between host and device
        of more than :data:`COPY_LIMIT` bytes, and points where the host waits for the device.
    """
    whole = [e for e in events if e.get("ph") == "X"]
    step = next(e for e in whole if e["name"] == STEP and e["cat"] == "user_annotation")
    inside = [e for e in whole if step["ts"] <= e["ts"] <= step["ts"] + step["dur"]]
    reads = [e["name"] for e in inside if e["cat"] == "cpu_op" and e["name"] in READS]
    faults = [f"{name} reads a value" for name in sorted(set(reads))]
    operations = sum(e["cat"] == "cpu_op" for e in inside)
    if rehearsal:
        return {"operations": operations, "kernels": None, "copies": None, "faults": faults}
    # the device works after the host has left the step
    kernels = sum(e["cat"] == "kernel" for e in whole)
    copies = [e for e in whole if e["cat"] == "gpu_memcpy" and "DtoD" not in e["name"]]
    waits = {e["name"] for e in inside if e["cat"] == "cuda_runtime" and e["name"] in WAITS}
    faults += [f"{name} makes the host wait" for name in sorted(waits)]
    for copy in copies:
        if copy["args"]["bytes"] > COPY_LIMIT:
            faults.append(f"{copy['name']}, {copy['args']['bytes']} bytes")
    if not kernels:
        faults.append("the profiler recorded no kernel, so it can't tell")
    sizes = [{"name": copy["name"], "bytes": copy["args"]["bytes"]} for copy in copies]
    return {"operations": operations, "kernels": kernels, "copies": sizes, "faults": faults}


def captured(call: Callable[[], T]) -> tuple[Call, T]:
    """A CUDA graph of a call: what replays it, and the tensors that a replay writes."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):  # allocations and library handles must exist before
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = call()
    return graph.replay, results


def _driver() -> str | None:
    """The driver's version, where nvidia-smi is there to say it."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    query = [command, "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else None
