"""Says once, after measuring it, that torch's threads make small models slower.

On a machine whose cores are busy, the threads of one small operation wait for each other: a step of
the small model took 54 ms with one thread and up to 3,060 ms with two (docs/log.md). The commands
use one thread; a program that uses this package as a library is told.
"""

from __future__ import annotations

import logging
import time
from statistics import median

import torch

_log = logging.getLogger(__name__)
_NUMBERS = 1 << 16
"""Of the operation that is timed; torch spreads it over threads from 2¹⁵ on."""
_ROUNDS = 5
SLOWER = 3.0
"""So much longer than with one thread is said."""


class ThreadCheck:
    """Measures at the 1st, 10th, 100th, … call, until it has said something."""

    def __init__(self) -> None:
        """Nothing is measured yet."""
        self.calls = 0
        self.next = 1
        self.said = False

    def __call__(self) -> None:
        """Count a call; measure and log a warning where threads wait for each other."""
        self.calls += 1
        if self.said or self.calls < self.next:
            return
        self.next *= 10
        threads = torch.get_num_threads()
        if threads == 1 or torch.compiler.is_compiling():
            return
        many, one = timed(threads)
        if many > SLOWER * one:
            self.said = True
            _log.warning(
                "torch's %d threads wait for each other: a small operation takes %.2f ms, with one "
                "thread %.2f ms. Small models are faster after torch.set_num_threads(1)",
                threads,
                many * 1e3,
                one * 1e3,
            )


def timed(threads: int) -> tuple[float, float]:
    """Seconds of a small operation with so many threads and with one, measured in turns."""
    numbers = torch.ones(_NUMBERS)
    found: dict[int, list[float]] = {threads: [], 1: []}
    try:
        for _ in range(_ROUNDS):
            for count, seconds in found.items():
                torch.set_num_threads(count)
                numbers.tanh()  # wakes the threads
                start = time.perf_counter()
                numbers.tanh()
                seconds.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return median(found[threads]), median(found[1])


check_threads = ThreadCheck()
