"""Jobs and their states: Queued → Running → Completed, Failed or Cancelled."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from typing import Any

from .clock import Clock
from .errors import RefusedError, unknown
from .records import (
    CANCELLED,
    COMPLETED,
    FAILED,
    MAX_TIME_EXCEEDED,
    QUEUED,
    RUNNING,
    JobRecord,
    Outcome,
    Post,
)
from .store import JobFolder

# A job's program, and what it gave.
Execute = Callable[[JobRecord], Outcome]


class Jobs:
    """All jobs, and one worker thread for each machine.

    Args:
        clock: The server's time; its condition guards everything here.
        execute: Runs a job's program.
        queue_seconds: How long a job waits at least.
        run_seconds: How long a job holds the machine, and what its time limit is compared with;
            0 for as long as the simulation takes.
        folder: Where jobs outlive the server, or None.
    """

    def __init__(
        self,
        clock: Clock,
        execute: Execute,
        queue_seconds: float = 0.0,
        run_seconds: float = 0.0,
        folder: JobFolder | None = None,
    ) -> None:
        self.clock = clock
        self.execute = execute
        self.queue_seconds = queue_seconds
        self.run_seconds = run_seconds
        self.folder = folder
        self.posts: list[Post] = []
        self._records: dict[str, JobRecord] = {}
        self._workers: list[threading.Thread] = []
        self._stopped = False
        for stored in folder.load() if folder else ():
            record = JobRecord(**stored)
            # A server that was stopped left it half run: it starts again.
            record.status = QUEUED if record.status == RUNNING else record.status
            self._records[record.id] = record

    def __iter__(self) -> Iterator[JobRecord]:
        with self.clock.condition:
            return iter(list(self._records.values()))

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, job_id: str) -> JobRecord:
        with self.clock.condition:
            if job_id not in self._records:
                raise unknown("Job", job_id, 1291)
            return self._records[job_id]

    def tagged(self, tag: str) -> list[JobRecord]:
        """The jobs that carry a tag."""
        return [record for record in self if tag in record.tags]

    def posts_tagged(self, tag: str) -> list[Post]:
        """Every `POST /jobs` that carried a tag, refused ones too."""
        with self.clock.condition:
            return [post for post in self.posts if tag in post.tags]

    def note_post(self, tags: list[str], faults: list[str]) -> Post:
        """Remember a `POST /jobs`, whatever will become of it."""
        post = Post(tags, faults)
        with self.clock.condition:
            self.posts.append(post)
        return post

    def add(
        self,
        payload: dict[str, Any],
        listing_lag: float = 0.0,
        fate: tuple[str, str] | None = None,
    ) -> JobRecord:
        """Accept a validated payload.

        Args:
            payload: The body of the POST.
            listing_lag: Seconds before `GET /jobs` lists it.
            fate: ("failed" or "max_time", reason) instead of a result.
        """
        with self.clock.condition:
            now = self.clock.now()
            record = JobRecord(
                id=f"job-{secrets.token_hex(8)}",
                program_id=payload["program_id"],
                backend=payload["backend"],
                payload=payload,
                tags=list(payload.get("tags") or []),
                session_id=payload.get("session_id"),
                created=now,
                visible=now + listing_lag,
                fate=fate[0] if fate else None,
                fate_reason=fate[1] if fate else None,
            )
            self._records[record.id] = record
            self._changed(record)
        return record

    def cancel(self, job_id: str) -> None:
        """End a job that is not final.

        Raises:
            RefusedError: 404 for an unknown job, 409 for a final one.
        """
        with self.clock.condition:
            record = self[job_id]
            if record.final:
                message = f"Job {job_id} is {record.status.lower()} and can't be cancelled."
                raise RefusedError(409, 1293, message, "Nothing has to be done.")
            self._finish(record, CANCELLED, "Cancelled by user", None)

    def delete(self, job_id: str) -> None:
        """Forget a job."""
        with self.clock.condition:
            record = self[job_id]
            self._finish(record, CANCELLED, "Deleted", None)
            del self._records[job_id]
            if self.folder:
                self.folder.remove(job_id)

    def retag(self, job_id: str, tags: list[str]) -> None:
        """Replace a job's tags."""
        with self.clock.condition:
            record = self[job_id]
            record.tags = list(tags)
            self._changed(record)

    def read_result(self, job_id: str) -> str:
        """The result's text; a job without one has an empty text, and a failed one its reason.

        Raises:
            RefusedError: 404 for an unknown job; 403 for the second reading of a private result.
        """
        with self.clock.condition:
            record = self[job_id]
            record.result_reads += record.final
            if record.private and record.result_reads > 1:
                raise RefusedError(403, 1292, "The result of a private job can be read once.")
            if record.status in (FAILED, CANCELLED):
                return record.reason or ""
            return record.result or ""

    def pending(self, backend: str) -> int:
        """How many jobs a machine has before it."""
        return sum(not record.final for record in self if record.backend == backend)

    def start(self, backend: str) -> None:
        """Start a machine's worker."""
        worker = threading.Thread(target=self._work, args=(backend,), daemon=True, name=backend)
        self._workers.append(worker)
        worker.start()

    def stop(self) -> None:
        """Stop the workers; a program that is running is waited for."""
        with self.clock.condition:
            self._stopped = True
            self.clock.condition.notify_all()
        for worker in self._workers:
            worker.join()

    def _work(self, backend: str) -> None:
        """Run a machine's jobs one after the other.

        A job starts when its turn comes or the machine is free, by the clock and not by when this
        thread got there: tests that move the clock don't depend on who was scheduled first.
        """
        free = 0.0
        while True:
            with self.clock.condition:
                record = self._next(backend)
                if record is None:
                    return
                record.status = RUNNING
                record.running = max(record.created + self.queue_seconds, free)
                self._changed(record)
            self._run(record)
            free = record.finished or free

    def _next(self, backend: str) -> JobRecord | None:
        """The oldest queued job once its turn has come; None when the server stops."""
        while not self._stopped:
            queued = [r for r in self if r.backend == backend and r.status == QUEUED]
            if not queued:
                self.clock.condition.wait()
                continue
            record = queued[0]
            turn = record.created + self.queue_seconds
            gone = self.clock.wait(turn, lambda r=record: self._stopped or r.status != QUEUED)  # type: ignore[misc]
            if gone:
                return record
        return None

    def _run(self, record: JobRecord) -> None:
        """Execute a running job, and end it unless it was cancelled meanwhile."""
        outcome, failure = None, None
        if record.fate is None:
            try:
                outcome = self.execute(record)
            except Exception as error:  # a job's program may fail in any way; the server goes on
                failure = f"{type(error).__name__}: {error}"
        with self.clock.condition:
            started = record.running or self.clock.now()
            limit = record.max_seconds
            late = record.fate == "max_time" or (limit is not None and self.run_seconds > limit)
            hold = limit if late and limit is not None else self.run_seconds
            if not self.clock.wait(started + hold, lambda: self._stopped or record.final):
                return
            ended = started + hold if hold else self.clock.now()
            if late:
                self._finish(record, CANCELLED, "Ran too long", MAX_TIME_EXCEEDED, ended)
            elif outcome is None:
                self._finish(record, FAILED, failure or record.fate_reason, None, ended)
            else:
                record.result, record.executions = outcome.result, outcome.executions
                record.logs = outcome.logs
                self._finish(record, COMPLETED, None, None, ended)

    def _finish(
        self,
        record: JobRecord,
        status: str,
        reason: str | None,
        code: int | None,
        instant: float | None = None,
    ) -> None:
        if record.final:
            return
        record.status, record.reason, record.reason_code = status, reason, code
        record.finished = self.clock.now() if instant is None else instant
        self._changed(record)

    def _changed(self, record: JobRecord) -> None:
        if self.folder:
            self.folder.save(record)
        self.clock.condition.notify_all()
