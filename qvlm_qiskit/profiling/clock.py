"""Times and memory of calls, measured in turn."""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import TypeVar

import torch

Run = Callable[[], object]
Name = TypeVar("Name", bound=Hashable)


def in_turn(
    calls: Mapping[Name, Run], rounds: int, done: Callable[[int], None]
) -> dict[Name, float]:
    """Median milliseconds of several calls, measured in turn behind one round that is not counted.

    A busy moment of the machine so hits all alike.

    Args:
        calls: By name.
        rounds: How often each is measured.
        done: Called with the number of calls made so far.
    """
    times: dict[Name, list[float]] = {name: [] for name in calls}
    count = 0
    for number in range(rounds + 1):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            _wait()
            if number:
                times[name].append(1000 * (time.perf_counter() - begin))
            count += 1
            done(count)
    return {name: statistics.median(found) for name, found in times.items()}


def peak_bytes(call: Run) -> int | None:
    """How far memory rises during a call; None where the system does not say.

    On a GPU what torch allocates there; else the process's resident memory, whose high-water mark
    Linux lets a process reset, once what is free has gone back to the system.
    """
    if torch.cuda.is_available():
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        call()
        _wait()
        return int(torch.cuda.max_memory_allocated()) - before
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    try:
        ctypes.CDLL(None).malloc_trim(0)
        resident = _status_bytes(status, "VmRSS")
        reset.write_text("5", "ascii")
    except (OSError, AttributeError):  # another system than Linux, another C library
        return None
    call()
    return max(0, _status_bytes(status, "VmHWM") - resident)


def _status_bytes(status: Path, name: str) -> int:
    for line in status.read_text("ascii").splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise OSError(f"{status} has no {name}")


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
