"""Batches and sessions: which one a submission is sent in.

A batch lets a stage's jobs be scheduled together and bills QPU time; a session holds the machine
for one user, also between stages, and bills elapsed time. An open one is found again through the
submissions that were sent in it. When a run ends, its own are closed. One that was opened and never
used costs nothing and closes by itself.
"""

from __future__ import annotations

from typing import Literal

from qvlm_qiskit.backends.service import JobService, UnreachableError
from qvlm_qiskit.jobs.costs.budget import Budget
from qvlm_qiskit.jobs.ledger import schema
from qvlm_qiskit.jobs.ledger.records import Submission
from qvlm_qiskit.jobs.ledger.store import JobStore

Mode = Literal["job", "batch", "session"]


class Sessions:
    """The open batch or session of a worker.

    Args:
        store: The ledger.
        service: The machine.
        mode: "job" sends every job by itself.
        budget: A session is opened for at most what is left of it, in seconds that pass.
    """

    def __init__(self, store: JobStore, service: JobService, mode: Mode, budget: Budget) -> None:
        self.store = store
        self.service = service
        self.mode = mode
        self.budget = budget
        self._current: dict[str | None, str] = {}
        self._opened: set[str | None] = set()
        self._closed: set[str | None] = set()

    def current(self, submission: Submission) -> str | None:
        """The id of an open batch or session for a submission's run; None in mode "job".

        Raises:
            RefusedError: The plan or the machine has none.
            UnreachableError: No answer.
        """
        if self.mode == "job":
            return None
        run = submission.run
        if run not in self._current:
            self._current[run] = self._known(submission) or self._open(self.mode, submission)
        return self._current[run]

    def forget(self, session: str | None) -> None:
        """Don't send into this one any more: the server has closed it."""
        self._closed.add(session)
        self._current = {run: s for run, s in self._current.items() if s != session}

    def close(self, run: str | None, owner: str) -> None:
        """Close a run's batches and sessions, and all others that this object has opened.

        They take no more jobs and finish those they have.

        A session is billed while it is open. Where the service gives no answer the history of the
        session's last submission says so; the service closes what stays idle by itself.

        Args:
            run: The run's id; None: only what this object has opened.
            owner: Who says so.
        """
        last: dict[str | None, str | None] = {s.session: s.id for s in self._sent(run)}
        for session in self._opened | {self._current.pop(run, None)}:
            last.setdefault(session, None)
        for session, submission in last.items():
            if session is None or session in self._closed:
                continue
            try:
                if self.service.session_accepts(session):
                    self.service.close_session(session)
                self._closed.add(session)
            except UnreachableError as ex:
                if submission is not None:
                    self.store.note(submission, f"{self.mode} {session} not closed: {ex}", owner)
        self._opened -= self._closed
        self._current = {r: s for r, s in self._current.items() if s not in self._closed}

    def _open(self, kind: Literal["batch", "session"], submission: Submission) -> str:
        """A new one; a session bills the time that passes, which no job's maximum time bounds."""
        most = None
        if kind == "session" and self.budget.seconds is not None:
            most = max(int(self.budget.left(self.store, submission)), 1)
        session = self.service.open_session(kind, most)
        self._opened.add(session)
        return session

    def _sent(self, run: str | None) -> list[Submission]:
        if run is None:
            return []
        table = schema.submissions
        return self.store.find(
            table.c.run == run,
            table.c.machine == self.service.machine,
            table.c.session.is_not(None),
        )

    def _known(self, submission: Submission) -> str | None:
        """The run's last one, if it still takes jobs."""
        earlier = self._sent(submission.run)
        last = earlier[-1].session if earlier else None
        if last is None or last in self._closed or not self.service.session_accepts(last):
            return None
        return last
