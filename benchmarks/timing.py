"""Clocks and counters: medians of interleaved runs, thread limits, peak memory, GEMM rate."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypedDict

Call = Callable[[], object]


class Spread(TypedDict):
    """Fastest, median and quartiles of repeated runs, in milliseconds."""

    best: float
    median: float
    low: float
    high: float
    runs: int


def spread(seconds: list[float], factor: float = 1.0) -> Spread:
    """Summarise run times, each multiplied by ``factor`` (an extrapolation to a larger batch)."""
    values = sorted(1000 * factor * s for s in seconds)
    low, _, high = (
        statistics.quantiles(values, n=4, method="inclusive") if values[1:] else values * 3
    )
    return Spread(
        best=values[0], median=statistics.median(values), low=low, high=high, runs=len(values)
    )


def timed(call: Call) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def repeat(call: Call, seconds: float) -> list[float]:
    """Run times of as many calls as fit into ``seconds``, at least one."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() + times[-1] < end:
        times.append(timed(call))
    return times


def interleave(calls: Mapping[str, Call], rounds: int, seconds: float) -> dict[str, Spread]:
    """Measure several calls in turn, so that a busy moment of the machine hits all alike."""
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name] += repeat(call, seconds)
    return {name: spread(values) for name, values in times.items()}


def thread_environment(threads: int) -> dict[str, str]:
    """Variables that limit every library to ``threads``; they act only when set before import."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    # NPROC is the size of XLA's CPU thread pool
    limits = dict.fromkeys((*names, "NPROC"), str(threads))
    if threads == 1:
        limits["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    return {**limits, "JAX_PLATFORMS": "cpu", "QISKIT_PARALLEL": "FALSE"}


def _status_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith(field + ":"):
            return 1024 * int(line.split()[1])
    raise OSError(f"/proc/self/status has no {field}")


def peak_bytes(call: Call) -> int:
    """How far the resident memory of this process rises above its present size during a call.

    The kernel's high-water mark is reset first (Linux). Run the process with
    ``MALLOC_MMAP_THRESHOLD_`` set, so that freed tensors go back to the system at once and earlier
    calls leave no room that this one could use unseen.
    """
    before = _status_bytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    call()
    return _status_bytes("VmHWM") - before


def complex_gemm_rate(rows: int, inner: int, columns: int, seconds: float = 1.0) -> float:
    """Flop per second of a complex64 torch matmul ``(rows, inner) @ (inner, columns)``.

    A complex multiply-add counts 8 flop. The fastest run counts: this is a limit of the machine,
    not a typical time.
    """
    import torch

    left = torch.randn(rows, inner, dtype=torch.complex64)
    right = torch.randn(inner, columns, dtype=torch.complex64)
    out = torch.empty(rows, columns, dtype=torch.complex64)
    torch.matmul(left, right, out=out)
    times = repeat(lambda: torch.matmul(left, right, out=out), seconds)
    return 8 * rows * inner * columns / min(times)


def copy_rate(size: int, seconds: float = 1.0) -> float:
    """Bytes per second, read and written ones together, of torch's copy of so many bytes."""
    import torch

    source = torch.zeros(size // 8, dtype=torch.complex64)
    target = torch.empty_like(source)
    target.copy_(source)
    return 2 * size / min(repeat(lambda: target.copy_(source), seconds))
