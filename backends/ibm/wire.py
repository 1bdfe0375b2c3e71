"""What becomes of a request on the wire: whether it left, what came back, and its clock.

`recording` gives the requests of one call their deadlines and notes their outcomes. Connections of
`POOLS` say when the first byte of a request leaves, and are shut at the end of its time.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from qvlm_qiskit.basics.computer.clocks import seconds_since_boot, unless_done


@dataclass(frozen=True)
class Deadlines:
    """How long requests may take; every figure is finite.

    Attributes:
        connect_seconds: Until a connection stands.
        silence_seconds: Of an answer to a GET, without a byte.
        read_seconds: One GET with all its repetitions.
        download_seconds: The same for results, which can be large.
        write_seconds: One POST, PUT, PATCH or DELETE, from the connection to the last byte.
        attempts: How often a GET is sent at most.
    """

    connect_seconds: float = 10.0
    silence_seconds: float = 30.0
    read_seconds: float = 120.0
    download_seconds: float = 600.0
    write_seconds: float = 300.0
    attempts: int = 6

    def total(self, method: str, path: str) -> float:
        """For a whole request, repetitions included."""
        if method != "GET":
            return self.write_seconds
        return self.download_seconds if path.endswith("/results") else self.read_seconds


@dataclass
class Exchange:
    """One attempt at a request.

    Attributes:
        method: Such as "POST".
        path: Without the query.
        state: "unsent": no byte of it left, for lack of a connection; "sent": a part or all of it
            left and no answer came; "answered".
        status: The answer's HTTP status.
        body: The answer's whole body; None where it broke off.
        retry_after_seconds: How long the server asks to wait.
        failure: Name of what went wrong here.
    """

    method: str
    path: str
    state: Literal["unsent", "sent", "answered"] = "unsent"
    status: int | None = None
    body: bytes | None = None
    retry_after_seconds: float | None = None
    failure: str | None = None


@dataclass
class Record:
    """The requests of one call, oldest first.

    Attributes:
        deadlines: Of those requests.
        exchanges: What became of them.
        no_write_after: The time, as `time.time` has it, from which on nothing but a GET may still
            be under way.
    """

    deadlines: Deadlines = Deadlines()
    exchanges: list[Exchange] = field(default_factory=list)
    no_write_after: float | None = None


RECORD: ContextVar[Record | None] = ContextVar("qvlm_transport_record", default=None)
ATTEMPT: ContextVar[Attempt | None] = ContextVar("qvlm_transport_attempt", default=None)


@contextlib.contextmanager
def recording(deadlines: Deadlines, no_write_after: float | None = None) -> Iterator[Record]:
    """Note what this thread's requests through a `Transport` come to, and limit their time."""
    record = Record(deadlines, no_write_after=no_write_after)
    token = RECORD.set(record)
    try:
        yield record
    finally:
        RECORD.reset(token)


@dataclass(frozen=True)
class WriteLimit:
    """Until when a request may be written, by two clocks.

    `time.monotonic` is no third one: it stands still while the computer sleeps. The wall clock may
    be set back, and the clock since boot is not to be had everywhere.

    Attributes:
        wall: As `time.time` has it.
        since_boot: As `seconds_since_boot` has it.
    """

    wall: float
    since_boot: float

    @classmethod
    def at(cls, wall: float) -> WriteLimit:
        """The limit at a time of the wall clock."""
        return cls(wall, seconds_since_boot() + wall - time.time())

    def seconds_left(self) -> float:
        """By the clock that says less."""
        return min(self.wall - time.time(), self.since_boot - seconds_since_boot())


class Attempt:
    """The clock of one attempt: at its end the socket is shut, whoever waits at it.

    Args:
        exchange: What becomes of it is noted there.
        ends: As `time.monotonic` has it.
        limit: For requests that must not leave later.
    """

    def __init__(self, exchange: Exchange, ends: float, limit: WriteLimit | None = None) -> None:
        self.exchange = exchange
        self.ends = ends
        self.limit = limit
        self.expired = False
        self._socket: socket.socket | None = None

    @contextlib.contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """Stop what runs inside after so many seconds."""
        with unless_done(seconds, self._stop):
            yield

    def begins(self, connection: Any) -> None:
        """The next bytes on a standing connection are the request's."""
        self._socket = connection.sock
        left = self.ends - time.monotonic()
        if self.limit is not None:
            left = min(left, self.limit.seconds_left())
        if self.expired or left <= 0:
            raise TimeoutError("out of time before the request was sent")
        self.exchange.state = "sent"
        # urllib3 lets the connect timeout limit the upload too.
        self._socket.settimeout(left)

    def _stop(self) -> None:
        self.expired = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # closed in the meantime
                self._socket.shutdown(socket.SHUT_RDWR)


class _Telling:
    """Mixin: a connection that says when it is connected and a request's first bytes leave."""

    sock: Any
    _connecting = False

    def connect(self) -> None:
        self._connecting = True  # a proxy's CONNECT is not the request
        try:
            super().connect()  # type: ignore[misc]
        finally:
            self._connecting = False

    def send(self, data: Any) -> None:
        attempt = ATTEMPT.get()
        if attempt is not None and not self._connecting:
            if self.sock is None:
                self.connect()
            attempt.begins(self)
        super().send(data)  # type: ignore[misc]


class _PlainConnection(_Telling, HTTPConnection):
    pass


class _SecureConnection(_Telling, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOLS = {"http": _PlainPool, "https": _SecurePool}
