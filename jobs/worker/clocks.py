"""How much time has surely passed: by the store's clock and by one that nobody sets.

A wall clock that is set forward by an hour would make a minute-old request look settled. The
kernel's time since boot, which also counts while the computer sleeps, can't be set.
"""

from __future__ import annotations

from pathlib import Path

from qvlm_qiskit.backends.ibm.wire import seconds_since_boot

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str | None:
    """What tells this start of this computer from others; None where the kernel doesn't say."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return None


def boot() -> tuple[str | None, float]:
    """The id of this computer's boot, and the seconds since then.

    Where there is no id, only the store's clock is there to be asked.
    """
    return boot_id(), seconds_since_boot()
