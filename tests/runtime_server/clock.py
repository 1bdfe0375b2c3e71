"""The server's time, which tests can move forward."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Real time plus what `advance` added.

    `condition` guards all state of the server and is notified of every change of it, so that a
    thread can wait for an instant or an event, whichever is first.
    """

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self._added_seconds = 0.0

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self._added_seconds

    def advance(self, seconds: float) -> None:
        """Move forward; whoever waits for an instant that is now past goes on."""
        with self.condition:
            self._added_seconds += seconds
            self.condition.notify_all()

    def wait(self, instant: float, stop: Callable[[], bool]) -> bool:
        """Wait for an instant, with `condition` held; False when `stop()` was true before it."""
        while not stop():
            left = instant - self.now()
            if left <= 0:
                return True
            self.condition.wait(left)
        return False


def iso(instant: float | None) -> str | None:
    """An instant as the service writes it, in UTC."""
    if instant is None:
        return None
    text = datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def instant(text: str) -> float:
    """The instant that an ISO 8601 text names; UTC when it names no zone."""
    parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
