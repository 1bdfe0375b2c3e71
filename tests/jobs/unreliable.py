"""A job server in this process that fails in every way a network and a service can.

It keeps what it accepted in memory, or in a file that several processes append to, so that jobs can
be counted after the clients are dead. Faults are drawn from a seeded generator by name.
"""

import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from qvlm_qiskit.backends.preflight.limits import IBM_LIMITS
from qvlm_qiskit.backends.pubs.answer import PubAnswer
from qvlm_qiskit.backends.service import (
    LOCAL,
    Allowance,
    AmbiguousError,
    DeniedError,
    NoSuchJobError,
    NotAcceptedError,
    RefusedError,
    ServerJob,
    SessionClosedError,
    UnreachableError,
    encode_local,
)

POST_FAULTS = {
    "dropped before accept": (False, AmbiguousError),
    "dropped after accept": (True, AmbiguousError),
    "500 before accept": (False, AmbiguousError),
    "500 after accept": (True, AmbiguousError),
    "504 after accept": (True, AmbiguousError),
    "hang before accept": (False, AmbiguousError),
    "hang after accept": (True, AmbiguousError),
    "connection refused": (False, NotAcceptedError),
    "429": (False, NotAcceptedError),
    "expired token": (False, NotAcceptedError),
    "session closed": (False, SessionClosedError),
    "validation": (False, RefusedError),
    "401 before accept": (False, DeniedError),
    "401 after accept": (True, DeniedError),
    "429 before accept": (False, DeniedError),
    "429 after accept": (True, DeniedError),
    "session closed before accept": (False, DeniedError),
    "session closed after accept": (True, DeniedError),
    "refused before accept": (False, DeniedError),
    "refused after accept": (True, DeniedError),
}
FINAL_FAULTS = ("validation", "refused before accept")
READ_FAULTS = ("timeout", "500", "dropped")


def values(package):
    """The values that the server returns: a plain function of what it was asked."""
    answers = []
    for pub in package.pubs:
        numbers = pub.parameter_values.as_array(pub.circuit.parameters).sum(axis=-1)
        evs = np.broadcast_to(np.cos(numbers), pub.shape).astype(float)
        answers.append(PubAnswer(evs.copy(), np.full(pub.shape, 0.01), {"shots": 100}))
    return answers


class Clock:
    """A clock that moves only when it is told to, so that hours of waiting take no time.

    Attributes:
        now: What its owner thinks that the time is; can be set.
        running: Seconds that have really passed.
    """

    def __init__(self):
        self.now = 1.0e9
        self.running = 0.0

    def time(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.running += seconds


@dataclass
class Server:
    """What has been accepted; shared by all connections, and by processes through a file."""

    path: Path | None = None
    time: Callable = time.time
    accepted: list = field(default_factory=list)

    def accept(self, tag, raw):
        entry = {"id": f"job-{os.getpid()}-{len(self.accepted)}-{tag[-6:]}", "tag": tag}
        entry |= {"at": self.time(), "raw": raw.hex()}
        if self.path is None:
            self.accepted.append(entry)
        else:
            line = (json.dumps(entry) + "\n").encode()
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(handle, line)  # one write of an appending file is not torn
            os.close(handle)
        return entry["id"]

    def jobs(self):
        if self.path is None:
            return self.accepted
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text().splitlines()]


class Unreliable:
    """A `JobService` whose requests fail.

    Args:
        server: Accepts jobs.
        seed: Of the faults.
        rate: Probability that a request fails.
        listing_lag: Seconds after which a job is listed by its tag.
        faults: Names of the faults of a submission; by default all that may pass by themselves.
        clock: Simulated time; a request then takes up to `post_seconds` of it.
        script: Faults of the next submissions, by name, before any are drawn; "" means none.
        misread: What the next answers say about another job: "id" to a submission, "body" to a
            question for a job.
    """

    machine = "unreliable"
    account = "one"
    decoder = LOCAL
    charges = True
    limits = IBM_LIMITS
    sessions = ("batch", "session")
    packs = False

    def __init__(
        self, server=None, seed=0, rate=0.0, listing_lag=0.0, faults=None, script=(),
        visible_after_seconds=None, post_seconds=0.0, posts_per_minute=None, allowance=None,
        final="completed", truncate=0, clock=None, misread=(),
    ):  # fmt: skip
        self.clock = clock or time
        self.server = server or Server(time=self.clock.time)
        self.random = random.Random(seed)
        self.rate = rate
        self.listing_lag = listing_lag
        self.visible_after_seconds = (
            listing_lag if visible_after_seconds is None else visible_after_seconds
        )
        self.post_seconds = post_seconds
        self.posts_per_minute = posts_per_minute
        self.faults = [name for name in POST_FAULTS if name not in FINAL_FAULTS]
        if faults is not None:
            self.faults = list(faults)
        self.script = list(script)
        self.left = allowance or Allowance()
        self.final = final
        self.truncate = truncate
        self.misread = list(misread)
        self.posts = []
        self.reads = 0
        self.open_sessions = set()
        self.cancelled = set()

    def submit(self, package, tag, *, max_seconds, session=None):
        assert max_seconds > 0
        self.posts.append((tag, max_seconds, session))
        fault = self._fault()
        accepts, error = POST_FAULTS[fault] if fault else (True, None)
        if fault and fault.startswith("session closed"):
            self.open_sessions.discard(session)
        raw = encode_local(values(package))
        if self.post_seconds and self.clock is not time:
            # the request is under way for a while; it arrives in time or never
            self.clock.sleep(self.random.random() * self.post_seconds)
        server_id = self.server.accept(tag, raw) if accepts else None
        if error is NotAcceptedError and fault == "429":
            raise NotAcceptedError("429 too many requests", 0.01)
        if error is DeniedError:
            raise DeniedError(
                fault,
                final=fault.startswith("refused"),
                session_closed=fault.startswith("session"),
            )
        if error is not None:
            raise error(fault)
        if self.misread[:1] == ["id"] and len(self.server.jobs()) > 1:
            self.misread.pop(0)
            return self.server.jobs()[0]["id"]
        return server_id

    def find(self, tag):
        self._read()
        now = self.clock.time()
        jobs = [j for j in self.server.jobs() if j["tag"] == tag]
        return [self._job(j["id"]) for j in jobs if j["at"] + self.listing_lag <= now]

    def status(self, server_id):
        self._read()
        self._entry(server_id)
        if self.misread[:1] == ["body"] and len(self.server.jobs()) > 1:
            self.misread.pop(0)
            others = (job["id"] for job in self.server.jobs() if job["id"] != server_id)
            return self._job(next(others))
        return self._job(server_id)

    def fetch(self, server_id):
        self._read()
        raw = bytes.fromhex(self._entry(server_id)["raw"])
        if self.truncate > 0 or (self.rate and self.random.random() < self.rate / 2):
            self.truncate -= 1
            return raw[: len(raw) // 2]
        return raw

    def cancel(self, server_id):
        self._read()
        self.cancelled.add(server_id)

    def allowance(self):
        return self.left

    def open_session(self, kind, max_seconds):
        self._read()
        name = f"{kind}-{len(self.open_sessions)}-{self.random.random()}"
        self.open_sessions.add(name)
        return name

    def session_accepts(self, session):
        self._read()
        return session in self.open_sessions

    def close_session(self, session):
        self.open_sessions.discard(session)

    def _job(self, server_id):
        tags = (self._entry(server_id)["tag"],)
        if server_id in self.cancelled:
            return ServerJob(server_id, "cancelled", "by the user", tags=tags)
        if self.final == "failed":
            return ServerJob(server_id, "failed", "the machine broke", 1305, tags=tags)
        return ServerJob(server_id, self.final, usage_seconds=1.5, tags=tags)

    def _entry(self, server_id):
        for job in self.server.jobs():
            if job["id"] == server_id:
                return job
        raise NoSuchJobError(server_id)

    def _fault(self):
        if self.script:
            return self.script.pop(0)
        return self.random.choice(self.faults) if self.random.random() < self.rate else None

    def _read(self):
        self.reads += 1
        if self.rate and self.random.random() < self.rate:
            raise UnreachableError(self.random.choice(READ_FAULTS))
