"""Locks that a forked process finds open: the threads that held them are not there."""

from __future__ import annotations

import os
from threading import RLock
from typing import Any
from weakref import WeakSet

_locks: WeakSet[Any] = WeakSet()


def new_lock() -> Any:
    """A lock that one thread may take several times, and that is open in a forked process."""
    lock = RLock()
    _locks.add(lock)
    return lock


def _open_all() -> None:
    for lock in _locks:
        lock._at_fork_reinit()  # noqa: SLF001  (what the standard library does with its own)


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_open_all)
