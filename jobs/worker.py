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

from qvlm_qiskit.errors import BudgetError, InputError, JobPending, LedgerError, QVLMError
from qvlm_qiskit.jobs import bills, follow, reconcile, submit
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


LONGEST_WAIT_SECONDS = 3600.0
"""A server's Retry-After is followed up to this."""


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

    @property
    def longest_wait_seconds(self) -> float:
        """Nothing is planned further ahead, whatever a server asks for."""
        return max(self.longest_retry_seconds, LONGEST_WAIT_SECONDS)

    def wait_seconds(self, due: float, now: float) -> float:
        """How long to wait for a planned step; 0 when it is due.

        A time further ahead than anything is planned was written before the clock was set back.
        """
        ahead = due - now
        return ahead if 0 < ahead <= self.longest_wait_seconds else 0.0


@dataclass
class Worker:
    """Works on the submissions of one store, on one machine, in one thread.

    Attributes:
        store: The ledger.
        service: The machine.
        budget: What a submission may cost.
        policy: Patience.
        mode: Whether jobs are sent one by one, in batches or in a session.
        run: Id of the run that pays for what is sent; None: the one that recorded it.
        owner: Its name in leases and histories; by default host, process and a random part. A
            process that was forked takes another one.
        sleep: Waits; tests replace it.
    """

    store: JobStore
    service: JobService
    budget: Budget = field(default_factory=Budget)
    policy: Policy = field(default_factory=Policy)
    mode: Mode = "job"
    run: str | None = field(default=None, kw_only=True)
    owner: str = field(default_factory=lambda: _name())
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self._process = os.getpid()
        self.sessions = Sessions(self.store, self.service, self.mode, self.budget)

    def _own_name(self) -> None:
        """Take another name after a fork: two processes of one name would share their leases."""
        if os.getpid() != self._process:
            self.owner, self._process = _name(), os.getpid()

    def payer(self, submission: Submission) -> str | None:
        """The run that pays for a submission if this worker sends it, whoever recorded it."""
        return self.run or submission.run

    def close(self, run: str | None = None) -> None:
        """Close the batches and sessions of a run that ends; see `Sessions.close`.

        Its jobs that were not charged yet when they ended are asked for once more.
        """
        self.sessions.close(run, self.owner)
        if run is not None:
            bills.settle(self.store, self.service, run=run)

    def advance(self, identifier: str) -> Submission:
        """Make one step with a submission, if no other worker has it.

        Returns:
            The submission after it.

        Raises:
            UnreachableError: The machine gave no answer; nothing has changed.
            BudgetError: It may not be sent; nothing has changed.
            JobError: It can't be gone on with; nothing has changed.
        """
        self._own_name()
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

        One that can't be gone on with is left, and its error raised when nothing else can move.

        Args:
            identifiers: Which.
            seconds: How long at most; None: as long as it takes. A step under way is finished.
            until: What is enough instead of a final state.
            report: Called with all of them after every round.

        Returns:
            Their last known states; some are not final when time was up.

        Raises:
            BudgetError: One may not be sent; others have been gone on with as far as they go.
            JobPending: One may be sent only when jobs that are not among these have ended.
            JobError: One can't be gone on with; likewise.
        """
        names = list(identifiers)
        enough = until or (lambda submission: submission.state.final)
        known = {name: self.store.submission(name) for name in names}
        failures: dict[str, QVLMError] = {}
        started, pause = time.monotonic(), 0.0
        while True:
            before = dict(known)
            self._round([n for n in names if not enough(known[n])], known, failures)
            if report is not None:
                report(list(known.values()))
            if any(known[n].state.final and not before[n].state.final for n in names):
                # What it was charged may leave enough for one that was too much before.
                _forget(failures, BudgetError, JobPending)
            if all(enough(known[name]) or name in failures for name in names):
                break
            moved = any(_place(known[name]) != _place(before[name]) for name in names)
            pause = 0.0 if moved else self._pause(known.values(), pause)
            if seconds is not None and time.monotonic() - started + pause > seconds:
                break
            if pause:
                self.sleep(pause)
        if failures:
            self._take_along([n for n in names if n not in failures], known, failures)
            raise _first(failures)
        return [known[name] for name in names]

    def _round(
        self,
        names: Iterable[str],
        known: dict[str, Submission],
        failures: dict[str, QVLMError],
    ) -> None:
        """One step with each that has not failed; an error of one is no other's."""
        for name in names:
            if name in failures:
                continue
            try:
                known[name] = self.advance(name)
            except UnreachableError as ex:
                self.store.note(name, f"no answer: {ex}", self.owner)
            except LeaseLostError:
                # This process stood still for longer than its lease, as a laptop does that
                # was closed. What is on disk decides how it goes on.
                known[name] = self.store.submission(name)
            except QVLMError as ex:
                failures[name] = ex

    def _take_along(
        self,
        names: Iterable[str],
        known: dict[str, Submission],
        failures: dict[str, QVLMError],
    ) -> None:
        """Bring what has finished meanwhile to its end, though the caller needs less; no waits."""
        for _ in range(len(STEPS)):
            living = [n for n in names if not known[n].state.final]
            before = dict(known)
            self._round(living, known, failures)
            if all(_place(known[n]) == _place(before[n]) for n in living):
                return

    def _pause(self, submissions: Iterable[Submission], before: float) -> float:
        """Grows while nothing happens; no longer than until the next step that is planned."""
        grown = max(before * 1.5, self.policy.poll_seconds)
        now, living = self.store.now(), [s for s in submissions if not s.state.final]
        planned = [self.policy.wait_seconds(s.not_before, now) for s in living]
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


def _name() -> str:
    """A name that no other worker has, within the 64 characters of its column."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid.uuid4().hex[:6]}"


def _place(submission: Submission) -> tuple[State, int, int]:
    """What tells whether a step has led anywhere."""
    return submission.state, submission.posts, submission.fetches


def _forget(failures: dict[str, QVLMError], *kinds: type[QVLMError]) -> None:
    for name in [name for name, ex in failures.items() if isinstance(ex, kinds)]:
        del failures[name]


def _first(failures: dict[str, QVLMError]) -> QVLMError:
    """The error to raise: one that waiting does not mend before one that it does."""
    errors = sorted(failures.values(), key=lambda ex: isinstance(ex, JobPending))
    for other in errors[1:]:
        errors[0].add_note(f"and: {other}")
    return errors[0]
