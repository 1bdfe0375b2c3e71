"""From an accepted job to stored answers: ask, fetch, read.

Raw results are on disk, with their checksum, before anything looks into them; what can't be read
is kept and fetched again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qvlm_qiskit.errors import JobError, LedgerError
from qvlm_qiskit.jobs.answer import DamagedResultError, PubAnswer
from qvlm_qiskit.jobs.blobs import DamagedBlobError
from qvlm_qiskit.jobs.decode import decode
from qvlm_qiskit.jobs.package import Package
from qvlm_qiskit.jobs.records import Submission
from qvlm_qiskit.jobs.states import State
from qvlm_qiskit.jobs.store import JobStore

if TYPE_CHECKING:
    from qvlm_qiskit.jobs.worker import Worker

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
        NoSuchJobError: The server does not know the job any more; nothing has changed.
    """
    job = worker.service.status(_server_id(held))
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
    """
    if worker.store.now() < held.not_before:
        return held
    raw = worker.service.fetch(_server_id(held))
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
