"""Requests of the client's that have sessions of their own: signing in, and finding the account.

IBM's SDK makes them: it follows redirects, with the API key in the body, and waits as long as a
byte comes now and then. Inside `guarded` they go through a `Transport`, and have one deadline
together.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import requests
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.exceptions import ReadTimeout

from qvlm_qiskit.backends.ibm.transport import Transport
from qvlm_qiskit.backends.ibm.wire import RECORD, Deadlines, Record

LOOKUP_SECONDS = 120.0
_GUARD: ContextVar[Transport | None] = ContextVar("qvlm_lookups", default=None)
_LOCK = threading.Lock()
_inside = 0


class _Lookups(Transport):
    """A transport whose requests all end at one time.

    Args:
        seconds: From now on.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._ends = seconds, time.monotonic() + seconds
        super().__init__()

    def __deepcopy__(self, memo: dict[int, Any]) -> _Lookups:
        return _Lookups(self._seconds)

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send a request within what is left of the time.

        Raises:
            requests.exceptions.RequestException: No complete answer in time.
        """
        left = self._ends - time.monotonic()
        if left <= 0:
            raise ReadTimeout(f"signing in took longer than {self._seconds:.0f} s")
        deadlines = Deadlines(
            connect_seconds=min(left, 10.0),
            silence_seconds=min(left, 30.0),
            read_seconds=left,
            download_seconds=left,
            write_seconds=left,
        )
        # What becomes of these says nothing about the request that they are made for.
        token = RECORD.set(Record(deadlines))
        try:
            return super().send(request, *args, **kwargs)
        finally:
            RECORD.reset(token)


@contextmanager
def guarded(seconds: float | None = None) -> Iterator[None]:
    """Send this thread's requests through a `Transport`, also those of sessions made elsewhere.

    Args:
        seconds: How long all of them together may take; by default `LOOKUP_SECONDS`.
    """
    token = _GUARD.set(_Lookups(LOOKUP_SECONDS if seconds is None else seconds))
    _hook(1)
    try:
        yield
    finally:
        _hook(-1)
        _GUARD.reset(token)


def _hook(change: int) -> None:
    """Ask for the adapter of a session here, as long as anybody is inside of `guarded`."""
    global _inside
    with _LOCK:
        _inside += change
        # The SDK makes sessions where nobody can reach them; their class is the one place.
        setattr(requests.Session, "get_adapter", _adapter if _inside else _GET_ADAPTER)  # noqa: B010


_GET_ADAPTER = requests.Session.get_adapter


def _adapter(session: requests.Session, url: str) -> BaseAdapter:
    usual = _GET_ADAPTER(session, url)
    guard = _GUARD.get()
    return usual if guard is None or isinstance(usual, Transport) else guard
