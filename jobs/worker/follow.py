"""From an accepted job to stored answers: ask, fetch, read.

Raw results are on disk, with their checksum, before anything looks into them; what can't be read
is kept and fetched again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qvlm_qiskit.errors import JobError, LedgerError
from qvlm_qiskit.jobs.ledger.answer import DamagedResultError, PubAnswer
from qvlm_qiskit.jobs.ledger.blobs import DamagedBlobError
from qvlm_qiskit.jobs.ledger.package import Package
from qvlm_qiskit.jobs.ledger.records import Submission
from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.jobs.ledger.store import JobStore
from qvlm_qiskit.jobs.services.decode import decode
from qvlm_qiskit.jobs.services.interface import NoSuchJobError, UnreachableError
from qvlm_qiskit.jobs.worker import reconcile

if TYPE_CHECKING:
    from qvlm_qiskit.jobs.worker.worker import Worker

GONE = "the service does not know this job any more"

STATES = {
    "queued": State.QUEUED,
    "running": State.RUNNING,
    "completed": State.COMPLETED,
    "failed": State.FAILED,
    "cancelled": State.CANCELLED,
}


def ask(worker: Worker, held: Submission) -> Submission:
    """Ask the server what the job is doing.

    Raises:
        UnreachableError: No answer; nothing has changed.
        NoSuchJobError: The server lists the job and does not know it; nothing has changed.
    """
    try:
        job = worker.service.status(_server_id(held))
    except NoSuchJobError as ex:
        return _gone(worker, held, ex)
    state = STATES[job.status]
    if state is held.state:
        return held
    return worker.store.move(
        held,
        worker.owner,
        state,
        job.reason or "",
        reason=job.reason,
        reason_code=job.reason_code,
        seconds_used=job.usage_seconds,
    )


def fetch(worker: Worker, held: Submission) -> Submission:
    """Bring a completed job's raw result to disk.

    Raises:
        UnreachableError: No complete answer; nothing has changed.
        NoSuchJobError: The server lists the job and has no result; nothing has changed.
    """
    if worker.policy.wait_seconds(held.not_before, worker.store.now()) > 0:
        return held
    try:
        raw = worker.service.fetch(_server_id(held))
    except NoSuchJobError as ex:
        return _gone(worker, held, ex)
    name = worker.store.blobs.put(raw)
    return worker.store.move(
        held,
        worker.owner,
        State.STORED,
        f"{len(raw):,} bytes, sha256 {name[:12]}…",
        raw=name,
        fetches=held.fetches + 1,
    )


def read(worker: Worker, held: Submission) -> Submission:
    """Decode a stored result and answer the rows; what can't be read is fetched again.

    Raises:
        JobError: It was fetched as often as the policy allows; the raw bytes are kept.
        LedgerError: The package is damaged, which no download mends.
    """
    package = _package(worker.store, held)
    try:
        answers = _decoded(worker.store, held, package)
    except (DamagedBlobError, DamagedResultError) as ex:
        if held.fetches >= worker.policy.fetches:
            raise JobError(
                f"the result of submission {held.id} (server job {held.server_id}) can't be read "
                f"after {held.fetches} downloads: {ex}. Its bytes are kept"
            ) from ex
        due = worker.store.now() + worker.policy.retry_seconds(held.fetches)
        note = f"fetched again: {ex}"
        return worker.store.move(held, worker.owner, State.COMPLETED, note, not_before=due)
    return worker.store.answer(held, worker.owner, answers)


def redecode(store: JobStore, submission: Submission) -> list[PubAnswer]:
    """The answers of a submission from its raw bytes on disk, without any machine.

    Raises:
        DamagedBlobError: The bytes are missing or have changed.
        DamagedResultError: They don't answer the package.
        LedgerError: Nothing was fetched yet, or this release can't decode it.
    """
    return _decoded(store, submission, _package(store, submission))


def _gone(worker: Worker, held: Submission, error: NoSuchJobError) -> Submission:
    """A job that the server does not know any more is lost: it has failed, and may be retried.

    As in `jobs.worker.reconcile`, only a complete search by tag that begins after the grace period
    proves it. Nothing is sent again by itself.

    Raises:
        UnreachableError: It may be too early to say, or the search got no answer.
        NoSuchJobError: The server lists it nevertheless.
    """
    settled = reconcile.is_settled(worker, held)
    found = worker.service.find(held.tag)
    if not settled:
        raise UnreachableError(f"{error}; it is asked for again") from error
    if found:
        raise error
    note = f"{GONE} ({error}), and lists none with its tag"
    return worker.store.move(held, worker.owner, State.FAILED, note, reason=GONE)


def _decoded(store: JobStore, submission: Submission, package: Package) -> list[PubAnswer]:
    if submission.raw is None:
        raise LedgerError(f"submission {submission.id} has no stored result")
    return decode(submission.decoder, store.blobs.get(submission.raw), package)


def _package(store: JobStore, submission: Submission) -> Package:
    try:
        return Package.from_bytes(store.blobs.get(submission.package))
    except DamagedBlobError as ex:
        raise LedgerError(f"what submission {submission.id} asked can't be read: {ex}") from ex


def _server_id(held: Submission) -> str:
    if held.server_id is None:
        raise LedgerError(f"submission {held.id} is {held.state} but has no job on the server")
    return held.server_id
