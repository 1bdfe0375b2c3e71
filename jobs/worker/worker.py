"""One worker: takes submissions, each under a lease, from state to state until they are answered.

`advance` makes one step and may be called by any process at any time; which step is decided by the
state that is on disk, never by what a process remembers. Several workers on one store share the
work, and one that is killed is replaced when its lease ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from qvlm_qiskit.backends.service import UnreachableError
from qvlm_qiskit.errors import BudgetError, JobPending, LedgerError, QVLMError
from qvlm_qiskit.jobs.costs import bills
from qvlm_qiskit.jobs.ledger.leases import LeaseLostError
from qvlm_qiskit.jobs.ledger.records import Submission
from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.jobs.worker import follow, reconcile, submit
from qvlm_qiskit.jobs.worker.desk import Desk

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


class Worker(Desk):
    """Works on the submissions of one store, on one machine, in one thread."""

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
        self.take_own_name()
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
            JobPending: One may be sent only when others have ended; with `until` they aren't waited
                for.
            JobError: One can't be gone on with; likewise.
        """
        wanted = list(identifiers)
        names = list(wanted)
        enough = until or (lambda submission: submission.state.final)
        known = {name: self.store.submission(name) for name in names}
        failures: dict[str, QVLMError] = {}
        started, pause = time.monotonic(), 0.0
        while True:
            before = dict(known)
            self._round([n for n in names if not enough(known[n])], known, failures)
            if until is None:
                names += self._waited_for(known, failures)
            if report is not None:
                report(list(known.values()))
            if any(known[n].state.final and not before[n].state.final for n in before):
                # What it was charged may leave enough for one that was too much before.
                _forget(failures, BudgetError, JobPending)
            if all(enough(known[name]) or name in failures for name in names):
                break
            moved = any(_place(known[name]) != _place(before[name]) for name in before)
            pause = 0.0 if moved else self._pause(known.values(), pause)
            if seconds is not None and time.monotonic() - started + pause > seconds:
                break
            if pause:
                self.sleep(pause)
        if failures:
            self._take_along([n for n in names if n not in failures], known, failures)
            raise _first(failures)
        return [known[name] for name in wanted]

    def _waited_for(
        self, known: dict[str, Submission], failures: Mapping[str, QVLMError]
    ) -> list[str]:
        """Others whose end lets one of these be sent, and which nobody else may follow."""
        pending = [ex for ex in failures.values() if isinstance(ex, JobPending)]
        new = {n: self.store.submission(n) for ex in pending for n in ex.submissions}
        new = {name: found for name, found in new.items() if name not in known}
        known.update(new)
        return list(new)

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
