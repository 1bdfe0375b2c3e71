"""The clocks of this computer: how much time has surely passed.

A wall clock that is set forward by an hour would make a minute-old request look settled. The
kernel's time since boot, which also counts while the computer sleeps, can't be set.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str | None:
    """What tells this start of this computer from others; None where the kernel doesn't say."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return None


def seconds_since_boot() -> float:
    """A clock that nobody sets and that goes on while the computer sleeps, where there is one."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def boot() -> tuple[str | None, float]:
    """The id of this computer's boot, and the seconds since then.

    Where there is no id, only the store's clock is there to be asked.
    """
    return boot_id(), seconds_since_boot()


@contextmanager
def unless_done(seconds: float, call: Callable[[], object]) -> Iterator[None]:
    """Call something, in another thread, if what runs inside takes longer than so many seconds."""
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
