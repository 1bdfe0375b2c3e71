"""How much time has surely passed: by the store's clock and by one that nobody sets.

A wall clock that is set forward by an hour would make a minute-old request look settled. The
kernel's time since boot, which also counts while the computer sleeps, can't be set.
"""

from __future__ import annotations

import time
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot() -> tuple[str | None, float]:
    """The id of this computer's boot, and the seconds since then.

    Returns:
        None where the system has no such id: then only the store's clock is there to be asked.
    """
    if not BOOT_ID.exists():
        return None, time.monotonic()
    return BOOT_ID.read_text(encoding="ascii").strip(), time.clock_gettime(time.CLOCK_BOOTTIME)
