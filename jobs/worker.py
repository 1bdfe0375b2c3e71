"""One worker: takes submissions, each under a lease, from state to state until they are answered.

`advance` makes one step and may be called by any process at any time; which step is decided by the
state that is on disk, never by what a process remembers. Several workers on one store share the
work, and one that is killed is replaced when its lease ends.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from qvlm_qiskit.errors import InputError, LedgerError
from qvlm_qiskit.jobs import follow, reconcile, submit
from qvlm_qiskit.jobs.budget import Budget
from qvlm_qiskit.jobs.records import Submission
from qvlm_qiskit.jobs.service import JobService, UnreachableError
from qvlm_qiskit.jobs.sessions import Mode, Sessions
from qvlm_qiskit.jobs.states import State
from qvlm_qiskit.jobs.store import JobStore, LeaseLostError

Report = Callable[[list[Submission]], None]

STEPS = {
    State.INTENDED: submit.post,
    State.POSTING: reconcile.interrupted,
    State.UNKNOWN: reconcile.search,
    State.QUEUED: follow.ask,
    State.RUNNING: follow.ask,
    State.COMPLETED: follow.fetch,
    State.STORED: follow.read,
}

ASKED_FOR = (State.UNKNOWN, State.QUEUED, State.RUNNING, State.COMPLETED)
"""States in which the server is asked for a job that was sent before."""


@dataclass(frozen=True)
class Policy:
    """How patient a worker is.

    Attributes:
        lease_seconds: A worker that gives no sign of life for so long is replaced.
        start_seconds: A request that has not left so long after its submission was marked as being
            sent is not sent any more; every worker of a store must have the same.
        poll_seconds: First pause between two questions for a job's state.
        longest_poll_seconds: The pause grows up to this.
        first_retry_seconds: Pause after a request that surely was not accepted; doubles.
        longest_retry_seconds: Its bound.
        fetches: How often a result that can't be read is fetched again.
    """

    lease_seconds: float = 60.0
    start_seconds: float = 5.0
    poll_seconds: float = 1.0
    longest_poll_seconds: float = 20.0
    first_retry_seconds: float = 2.0
    longest_retry_seconds: float = 300.0
    fetches: int = 5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise InputError(f"{name} is {value!r}; it must be above 0")

    def retry_seconds(self, tries: int) -> float:
        """The pause after so many requests without success."""
        return min(self.first_retry_seconds * 2.0 ** max(tries - 1, 0), self.longest_retry_seconds)


@dataclass
class Worker:
    """Works on the submissions of one store, on one machine, in one thread.

    Attributes:
        store: The ledger.
        service: The machine.
        budget: What a submission may cost.
        policy: Patience.
        mode: Whether jobs are sent one by one, in batches or in a session.
        owner: Its name in leases and histories; by default host, process and a random part.
        sleep: Waits; tests replace it.
    """

    store: JobStore
    service: JobService
    budget: Budget = field(default_factory=Budget)
    policy: Policy = field(default_factory=Policy)
    mode: Mode = "job"
    owner: str = field(
        default_factory=lambda: f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid.uuid4().hex[:6]}"
    )
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.store, self.service, self.mode)

    def close(self, run: str | None = None) -> None:
        """Close the batches and sessions of a run; see `Sessions.close`."""
        self.sessions.close(run, self.owner)

    def advance(self, identifier: str) -> Submission:
        """Make one step with a submission, if no other worker has it.

        Returns:
            The submission after it.

        Raises:
            UnreachableError: The machine gave no answer; nothing has changed.
            BudgetError: It may not be sent; nothing has changed.
            JobError: It can't be gone on with; nothing has changed.
        """
        held = self.store.acquire(identifier, self.owner, self.policy.lease_seconds)
        if held is None or held.state.final:
            return self.store.submission(identifier)
        try:
            if held.state in ASKED_FOR:
                reconcile.check_account(self, held)
            with self._lease_kept(identifier):
                return STEPS[held.state](self, held)
        finally:
            self.store.release(identifier, self.owner)

    def finish(
        self,
        identifiers: Iterable[str],
        *,
        seconds: float | None = None,
        until: Callable[[Submission], bool] | None = None,
        report: Report | None = None,
    ) -> list[Submission]:
        """Work on submissions until all are final, or time is up.

        Args:
            identifiers: Which.
            seconds: How long at most; None: as long as it takes. A step under way is finished.
            until: What is enough instead of a final state.
            report: Called with all of them after every round.

        Returns:
            Their last known states; some are not final when time was up.

        Raises:
            BudgetError: One may not be sent.
            JobError: One can't be gone on with.
        """
        names = list(identifiers)
        enough = until or (lambda submission: submission.state.final)
        known = {name: self.store.submission(name) for name in names}
        started, pause = time.monotonic(), 0.0
        while True:
            before = [(s.state, s.posts, s.fetches) for s in known.values()]
            for name in [n for n in names if not enough(known[n])]:
                try:
                    known[name] = self.advance(name)
                except UnreachableError as ex:
                    self.store.note(name, f"no answer: {ex}", self.owner)
                except LeaseLostError:
                    # This process stood still for longer than its lease, as a laptop does that
                    # was closed. What is on disk decides how it goes on.
                    known[name] = self.store.submission(name)
            if report is not None:
                report(list(known.values()))
            if all(enough(submission) for submission in known.values()):
                break
            moved = before != [(s.state, s.posts, s.fetches) for s in known.values()]
            pause = 0.0 if moved else self._pause(known.values(), pause)
            if seconds is not None and time.monotonic() - started + pause > seconds:
                break
            if pause:
                self.sleep(pause)
        return [known[name] for name in names]

    def _pause(self, submissions: Iterable[Submission], before: float) -> float:
        """Grows while nothing happens; no longer than until the next step that is planned."""
        grown = max(before * 1.5, self.policy.poll_seconds)
        planned = [s.not_before - self.store.now() for s in submissions if not s.state.final]
        ahead = [wait for wait in planned if wait > 0]
        return min(grown, self.policy.longest_poll_seconds, *ahead)

    @contextmanager
    def _lease_kept(self, identifier: str) -> Iterator[None]:
        """Renew the lease from a thread of its own while a step runs."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(self.policy.lease_seconds / 3):
                try:
                    kept = self.store.acquire(identifier, self.owner, self.policy.lease_seconds)
                except LedgerError:
                    continue  # the step itself meets the same store and says so
                if kept is None:
                    return

        thread = threading.Thread(target=renew, name=f"lease {identifier}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
