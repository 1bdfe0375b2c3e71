"""IBM Quantum Runtime as a machine of the ledger, behind its own, unmodified client."""

from __future__ import annotations

import hashlib
import logging
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar

from qiskit_ibm_runtime import EstimatorV2, Session
from qiskit_ibm_runtime.executor_estimator import Estimator

from qvlm_qiskit.backends.ibm import outcomes
from qvlm_qiskit.backends.ibm.account import guard_client, guard_service
from qvlm_qiskit.backends.ibm.answers import (
    checked_job_id,
    count_of,
    read_allowance,
    read_job,
    tags_of,
    usage_seconds,
)
from qvlm_qiskit.backends.ibm.decode import EXECUTOR, LEGACY
from qvlm_qiskit.backends.ibm.wire import Deadlines, Record, recording
from qvlm_qiskit.backends.preflight.limits import IBM_ESTIMATOR_LIMITS, IBM_LIMITS
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.backends.service import (
    FINAL,
    Allowance,
    JobService,
    NoSuchJobError,
    ServerJob,
    SessionKind,
    UnreachableError,
    charged,
)
from qvlm_qiskit.errors import InputError

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
Generation = Literal["executor", "legacy"]
DECODERS: dict[Generation, str] = {"executor": EXECUTOR, "legacy": LEGACY}
TAG = "qvlm"
"""Every job of this platform has this tag beside its own."""
DRY_RUN = "qvlm-dry-run"
"""The second tag of jobs that run nothing; no search of the ledger looks for it."""
_MODES = {"batch": "batch", "session": "dedicated"}
_PAGE = 50
_PAGES = 100


class RuntimeJobs(JobService):
    """Sends packages to an IBM machine and asks for them.

    One object serves one thread, and so does the client's service behind a machine: open the
    backend again for another thread.

    Args:
        machine: An `IBMBackend` from `QiskitRuntimeService`; its connections are guarded.
        resilience_level: 0, 1 or 2.
        settings: Further options of the client, such as `runtime_settings` gives.
        generation: "executor" mitigates on this computer; "legacy" is the deprecated `EstimatorV2`,
            which mitigates on the server.
        private: The server forgets the parameters, and the results once they were read.
        deadlines: How long requests may take.
        post_seconds: A submission, with all that comes before the request, is given up after this.
        visible_after_seconds: How long after its acceptance a job may still be missing from `find`.
        posts_per_minute: How many submissions the service takes.
    """

    charges = True
    limits = IBM_LIMITS
    sessions: tuple[SessionKind, ...] = ("batch", "session")
    packs = True

    def __init__(
        self,
        machine: Any,
        resilience_level: int = 0,
        settings: Mapping[str, Any] | None = None,
        *,
        generation: Generation = "executor",
        private: bool = False,
        deadlines: Deadlines | None = None,
        post_seconds: float = 600.0,
        visible_after_seconds: float = 60.0,
        posts_per_minute: int | None = 5,
    ) -> None:
        if generation not in DECODERS:
            raise InputError(f"generation={generation!r}; accepted are {', '.join(DECODERS)}")
        self.machine = f"ibm:{machine.name}"
        self.decoder = DECODERS[generation]
        self.limits = IBM_LIMITS if generation == "executor" else IBM_ESTIMATOR_LIMITS
        self.generation = generation
        self.resilience_level = resilience_level
        self.settings = dict(settings or {})
        self.private = private
        self.deadlines = deadlines or Deadlines()
        self.post_seconds = post_seconds
        self.visible_after_seconds = visible_after_seconds
        self.posts_per_minute = posts_per_minute
        self._backend = machine
        guard_service(machine.service)
        guard_client(machine._api_client)  # noqa: SLF001  (a copy, where the machine is one)
        self._instance = machine._instance  # noqa: SLF001
        self.account = hashlib.sha256(str(self._instance).encode()).hexdigest()[:16]
        # Not service.job() and the like: they decode, and make another client the active one.
        self._client = machine.service._get_api_client(self._instance)  # noqa: SLF001
        self._sign_in = guard_client(self._client)

    def submit(
        self, package: Package, tag: str, *, max_seconds: int, session: str | None = None
    ) -> str:
        """Send one job, exactly one time, and return the server's id.

        Raises:
            NotAcceptedError: Surely no job; may be tried again.
            RefusedError: Surely no job; must not be tried again.
            DeniedError: The service says that it has none.
            AmbiguousError: Unknown.
        """
        return self._sent(package, tag, max_seconds, session)

    def dry_run(self, package: Package, *, wait_seconds: float = 600.0) -> float:
        """What the service says that a job would be charged, in QPU seconds; no machine runs it.

        The client sends the job to the machine's mock, which checks and schedules it. Documented
        for the plans Flex, Premium and On-Prem:
        https://quantum.cloud.ibm.com/docs/guides/dry-run-jobs

        Raises:
            RefusedError: The account has none for this machine, or the job is refused or fails.
            JobError: It may not have been sent, or there is no figure after `wait_seconds`.
        """
        longest = self.limits.seconds or 0
        server_id = self._sent(package, DRY_RUN, longest, None, dry_run=True)
        return charged(self, server_id, wait_seconds)

    def find(self, tag: str) -> Sequence[ServerJob]:
        """All jobs with the tag, the oldest first; what they used is not asked.

        Raises:
            UnreachableError: No complete answer.
        """

        def ask() -> list[ServerJob]:
            rows, complete = self._listed(tag)
            # A server that does not filter must not have a foreign job adopted.
            tagged = {row["id"]: row for row in rows if tag in tags_of(row)}
            if not tagged and rows:
                raise ValueError("other jobs than those with the tag")
            if not tagged and not complete:
                raise ValueError("fewer jobs than the list counts")
            ordered = sorted(tagged.values(), key=lambda row: str(row.get("created", "")))
            return [self._job(row) for row in ordered]

        return self._read(ask)

    def status(self, server_id: str) -> ServerJob:
        """What a job is doing, and what a final one used, if the server says so.

        Raises:
            UnreachableError: No answer.
            NoSuchJobError: The server does not know it.
        """
        checked_job_id(server_id)

        def ask() -> ServerJob:
            found = self._job(self._client.job_get(server_id))
            if found.server_id != server_id:
                raise ValueError("another job's body")
            return found

        job = self._read(ask)
        if job.status not in FINAL:
            return job
        try:
            return replace(job, usage_seconds=self._read(lambda: self._usage(server_id)))
        except (UnreachableError, NoSuchJobError) as ex:
            # A result must not wait for its bill.
            logger.warning("no usage of job %s: %s", server_id, ex)
            return job

    def fetch(self, server_id: str) -> bytes:
        """The raw result of a completed job, as the server sent it.

        Raises:
            UnreachableError: No complete answer.
            NoSuchJobError: The server does not know it.
        """
        checked_job_id(server_id)

        def ask() -> bytes:
            # Not job_results(): it makes text of the bytes.
            job = self._client._api.program_job(server_id)  # noqa: SLF001
            content = job.session.get(job.get_url("results")).content
            if not content:
                raise ValueError("an empty result")
            return bytes(content)

        return self._read(ask)

    def cancel(self, server_id: str) -> None:
        """Ask the server to stop a job; one that is already final is left as it is.

        Raises:
            UnreachableError: No answer.
            NoSuchJobError: The server does not know it.
        """
        checked_job_id(server_id)
        failure = None
        with recording(self.deadlines) as record:
            try:
                self._client.job_cancel(server_id)
            except Exception as ex:
                failure = ex
        if failure is not None and not _answered(record, 409):
            raise outcomes.unread(record, failure, self._sign_in.secrets())

    def allowance(self) -> Allowance:
        """What the account may still use.

        Raises:
            UnreachableError: No answer.
        """
        return self._read(lambda: read_allowance(self._client.cloud_usage()))

    def open_session(self, kind: SessionKind, max_seconds: int | None) -> str:
        """Open a batch or session and return its id; an unused one costs nothing.

        Raises:
            RefusedError: The plan or machine has none of this kind.
            UnreachableError: No answer.
        """
        failure = None
        with recording(self.deadlines) as record:
            try:
                made = self._client.create_session(
                    self._backend.name, self._instance, max_seconds, _MODES[kind]
                )
                return str(made["id"])
            except Exception as ex:
                failure = ex
        raise outcomes.opened(record, failure, self._sign_in.secrets())

    def session_accepts(self, session: str) -> bool:
        """Whether a batch or session still takes jobs; one that the server forgot does not.

        Raises:
            UnreachableError: No answer.
        """
        try:
            details = self._read(lambda: dict(self._client.session_details(session)))
        except NoSuchJobError:
            return False
        return bool(details.get("accepting_jobs")) and details.get("state") != "closed"

    def close_session(self, session: str) -> None:
        """Let a batch or session take no more jobs; those that it has are finished.

        Raises:
            UnreachableError: No answer.
        """
        self._read(lambda: self._client.close_session(session))

    def _sent(
        self,
        package: Package,
        tag: str,
        max_seconds: int,
        session: str | None,
        *,
        dry_run: bool = False,
    ) -> str:
        """The server's id of a job that was sent one time."""
        failure = None
        with recording(self.deadlines, time.time() + self.post_seconds) as record:
            try:
                pubs = list(package.sent.pubs)
                self._estimator(tag, max_seconds, session).run(pubs, dry_run=dry_run)
            except Exception as ex:
                # Any exception: what it means is decided by what was sent.
                failure = ex
        secrets = self._sign_in.secrets()
        return outcomes.submitted(record, failure, secrets, in_session=session is not None)

    def _estimator(self, tag: str, max_seconds: int, session: str | None) -> Any:
        options = {
            "resilience_level": self.resilience_level,
            **self.settings,
            "max_execution_time": max_seconds,
            "environment": {"job_tags": [TAG, tag], "private": self.private},
        }
        mode = _Mode(self._backend, session)
        if self.generation == "executor":
            return Estimator(mode=mode, options=options)
        with warnings.catch_warnings():
            # Asked for by name; whoever does so knows.
            warnings.filterwarnings("ignore", "The EstimatorV2 class is deprecated")
            return EstimatorV2(mode=mode, options=options)

    def _listed(self, tag: str) -> tuple[list[dict[str, Any]], bool]:
        """The rows that `GET /jobs` gives for a tag, and whether they are all that it counts.

        A job proves itself. That there is none is proven by an empty list only that counts none on
        every page; one of other jobs answers another question, as complete as it may be.
        """
        rows: dict[str, dict[str, Any]] = {}
        counts: set[int] = set()
        seen = 0
        for _ in range(_PAGES):
            page = self._client.jobs_get(limit=_PAGE, skip=seen, job_tags=[tag], descending=False)
            counts.add(count_of(page))
            seen += len(page["jobs"])
            rows.update({str(row["id"]): row for row in page["jobs"]})
            if not page["jobs"] or seen >= max(counts):
                break
        return list(rows.values()), counts == {len(rows)}

    def _job(self, row: Mapping[str, Any]) -> ServerJob:
        return read_job(row, self._sign_in.secrets())

    def _usage(self, server_id: str) -> float | None:
        return usage_seconds(self._client.job_metadata(server_id))

    def _read(self, ask: Callable[[], Answer]) -> Answer:
        """What `ask` returns, or the ledger's error without the client's behind it."""
        failure = None
        with recording(self.deadlines) as record:
            try:
                return ask()
            except Exception as ex:
                # Also an answer that has not the documented form.
                failure = ex
        raise outcomes.unread(record, failure, self._sign_in.secrets())


class _Mode(Session):
    """A batch or session that is open already, or none: nothing is made or asked for again.

    Given the machine itself, the client would look it up once more for every job, and submit into
    whatever session the calling program has open.
    """

    def __init__(self, backend: Any, session: str | None) -> None:
        super().__init__(backend, create_new=False)
        self._session_id = session


def _answered(record: Record, status: int) -> bool:
    return bool(record.exchanges) and record.exchanges[-1].status == status
