"""What the ledger needs of a machine: submit once, find by tag, ask, fetch.

A machine's opener gives its `Backend` the service that runs its jobs: `backends.ibm.runtime_jobs`
is IBM Quantum Runtime behind its own client, another distribution brings its own. A backend without
one is run on this computer (`jobs.services.local`). Everything that decides about money
(`jobs.worker.submit`, `jobs.worker.reconcile`, `jobs.worker.follow`) knows a machine by this
interface only. All that a service needs can be imported from here.

How a submission can end, and what the ledger may do then:

    returned an id     the server has the job
    NotAcceptedError   the server surely has no job: may be sent again later
    RefusedError       the server surely has no job and never will: the request itself is wrong
    AmbiguousError     nobody knows: only a search by tag may decide
    DeniedError        the server says that it took none: a search decides, but soon
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from qvlm_qiskit.backends.decoders.local_1 import LOCAL, encode_local
from qvlm_qiskit.backends.preflight.limits import NO_LIMITS, JobLimits
from qvlm_qiskit.backends.pubs.answer import DamagedResultError, PubAnswer
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.errors import JobError

__all__ = [
    "FINAL",
    "LOCAL",
    "MAX_TIME_REASON",
    "Allowance",
    "AmbiguousError",
    "AnotherAccountError",
    "DamagedResultError",
    "DeniedError",
    "JobLimits",
    "JobService",
    "NoSuchJobError",
    "NotAcceptedError",
    "Package",
    "PubAnswer",
    "RefusedError",
    "ServerJob",
    "ServerStatus",
    "SessionClosedError",
    "SessionKind",
    "UnreachableError",
    "encode_local",
]

SessionKind = Literal["batch", "session"]
ServerStatus = Literal["queued", "running", "completed", "failed", "cancelled"]
FINAL: frozenset[ServerStatus] = frozenset({"completed", "failed", "cancelled"})
MAX_TIME_REASON = 1305
"""The service's code for a job that ran into its maximum execution time."""


class NotAcceptedError(JobError):
    """The request surely did not become a job; sending it again is safe.

    Attributes:
        retry_after_seconds: How long the server asked to wait; None where it said nothing.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class SessionClosedError(NotAcceptedError):
    """The batch or session takes no more jobs; surely no job."""


class RefusedError(JobError):
    """The server examined the request and refused it; sending it again would change nothing."""


class AmbiguousError(JobError):
    """The request was sent and its fate is unknown."""


class DeniedError(AmbiguousError):
    """The server answered that it did not take the job, which it may have done all the same.

    The request is not under way any more: a search that begins `visible_after_seconds` after the
    answer tells.

    Attributes:
        retry_after_seconds: How long the server asked to wait; None where it said nothing.
        final: The request itself is wrong: it is not sent again where a search finds no job.
        session_closed: The batch or session takes no more jobs.
    """

    def __init__(
        self,
        message: str,
        retry_after_seconds: float | None = None,
        *,
        final: bool = False,
        session_closed: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.final = final
        self.session_closed = session_closed


class UnreachableError(JobError):
    """A read got no usable answer in time; reading again is safe."""


class AnotherAccountError(JobError):
    """The job belongs to another account or instance; this one can't be asked for it."""


class NoSuchJobError(JobError):
    """The server says that it knows no job of this id."""


@dataclass(frozen=True)
class ServerJob:
    """A job as the server describes it.

    Attributes:
        server_id: Its id there.
        status: What it is doing.
        reason: The server's words for a failure.
        reason_code: The server's number for it.
        usage_seconds: What it was charged in QPU seconds; None until that is known.
        tags: With which it was submitted; None where the server does not say.
    """

    server_id: str
    status: ServerStatus
    reason: str | None = None
    reason_code: int | None = None
    usage_seconds: float | None = None
    tags: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Allowance:
    """What the account may still use.

    Attributes:
        remaining_seconds: QPU seconds that are left in the current period; None: not stated.
        limit_reached: Whether the service says that nothing more will run.
    """

    remaining_seconds: float | None = None
    limit_reached: bool = False


class JobService(Protocol):
    """A machine that runs packages as jobs.

    Every call returns or raises within a finite time. One object serves one thread. A class that
    inherits from this one has no batches and sessions, no dry run, and an account without an
    allowance, unless it says otherwise.

    Attributes:
        machine: Its name, as `open_backend` knows it.
        decoder: Name of the decoder that reads its raw results, see `backends.decoders`; "local-1"
            reads what `encode_local` has written.
        post_seconds: The longest time that a submission can be under way before it returns or
            raises; beyond it the server can't accept it any more.
        visible_after_seconds: How long after its acceptance a job may still be missing from
            `find`. That no job is ever submitted twice holds as long as this is true.
        posts_per_minute: How many submissions the service takes; None: any number.
        charges: Whether jobs cost QPU time: what is sent is held to budgets and allowances then.
        limits: What one job may be at most.
        sessions: What it can open for several jobs.
        account: A digest of whose jobs these are; a search of another account's proves nothing.
        packs: Whether it sends what `Package.sent` says, where its device runs circuits side by
            side, and its results answer that; otherwise they answer the package's own pubs.
    """

    machine: str
    account: str
    decoder: str
    post_seconds: float
    visible_after_seconds: float
    posts_per_minute: int | None = None
    charges: bool = True
    limits: JobLimits = NO_LIMITS
    sessions: tuple[SessionKind, ...] = ()
    packs: bool = False

    def submit(
        self, package: Package, tag: str, *, max_seconds: int, session: str | None = None
    ) -> str:
        """Send one job, exactly one time, and return the server's id.

        Args:
            package: The pubs, and how they are to be run.
            tag: Unique; `find` knows the job by it.
            max_seconds: The job is stopped by the server beyond so many seconds.
            session: Id of an open batch or session to run in.

        Raises:
            NotAcceptedError: Surely no job; may be tried again.
            RefusedError: Surely no job; must not be tried again.
            DeniedError: The server says that it has none.
            AmbiguousError: Unknown.
        """
        ...

    def dry_run(self, package: Package, *, wait_seconds: float = 600.0) -> float:
        """What the service itself says that a job would be charged, in QPU seconds; nothing runs.

        Raises:
            RefusedError: It says nothing about jobs that it does not run.
            JobError: There is no figure after `wait_seconds`, or it can't be asked.
        """
        raise RefusedError(f"{self.machine} has no dry run")

    def find(self, tag: str) -> Sequence[ServerJob]:
        """All jobs with the tag, the oldest first.

        Raises:
            UnreachableError: No complete answer.
        """
        ...

    def status(self, server_id: str) -> ServerJob:
        """What a job is doing.

        Raises:
            UnreachableError: No answer.
            NoSuchJobError: The server does not know it.
        """
        ...

    def fetch(self, server_id: str) -> bytes:
        """The raw result of a completed job, as the server sent it.

        Raises:
            UnreachableError: No complete answer.
            NoSuchJobError: The server does not know it.
        """
        ...

    def cancel(self, server_id: str) -> None:
        """Ask the server to stop a job; one that is already final is left as it is.

        Raises:
            UnreachableError: No answer.
            NoSuchJobError: The server does not know it.
        """
        ...

    def allowance(self) -> Allowance:
        """What the account may still use.

        Raises:
            UnreachableError: No answer.
        """
        return Allowance()

    def open_session(self, kind: SessionKind, max_seconds: int | None) -> str:
        """Open a batch or session and return its id; an unused one costs nothing.

        Raises:
            RefusedError: The plan or machine has none of this kind.
            UnreachableError: No answer.
        """
        raise RefusedError(f"{self.machine} has no {kind}")

    def session_accepts(self, session: str) -> bool:
        """Whether a batch or session still takes jobs.

        Raises:
            UnreachableError: No answer.
        """
        return False

    def close_session(self, session: str) -> None:
        """Let a batch or session take no more jobs; those that it has are finished.

        Raises:
            UnreachableError: No answer.
        """
        return None


def charged(service: JobService, server_id: str, wait_seconds: float) -> float:
    """What a job was charged, in QPU seconds, as soon as it has ended and the service says it.

    Args:
        service: That has the job.
        server_id: The job's id there.
        wait_seconds: How long to wait for both.

    Raises:
        RefusedError: It has failed, or was cancelled.
        UnreachableError: There is no figure by then, or no answer.
        NoSuchJobError: The service does not know it.
    """
    end, pause = time.monotonic() + wait_seconds, 0.05
    while True:
        job = service.status(server_id)
        if job.status in FINAL and job.status != "completed":
            why = job.reason or "no reason given"
            raise RefusedError(f"job {server_id} is {job.status}: {why}")
        if job.status in FINAL and job.usage_seconds is not None:
            return job.usage_seconds
        if time.monotonic() + pause > end:
            raise UnreachableError(f"job {server_id} is {job.status} after {wait_seconds:g} s")
        time.sleep(pause)
        pause = min(2 * pause, 10.0)
