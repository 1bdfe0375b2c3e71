"""From an accepted job to stored answers: ask, fetch, read.

Raw results are on disk, with their checksum, before anything looks into them; what can't be read
is kept and fetched again.
"""

from __future__ import annotations

from qvlm_qiskit.backends.pubs.answer import DamagedResultError
from qvlm_qiskit.backends.service import NoSuchJobError, UnreachableError
from qvlm_qiskit.errors import JobError, LedgerError
from qvlm_qiskit.jobs.ledger.blobs import DamagedBlobError
from qvlm_qiskit.jobs.ledger.records import Submission
from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.jobs.services.decode import redecode
from qvlm_qiskit.jobs.worker import reconcile
from qvlm_qiskit.jobs.worker.desk import Desk

FOREIGN = "the service has another job under this id"
GONE = "the service does not know this job any more"

STATES = {
    "queued": State.QUEUED,
    "running": State.RUNNING,
    "completed": State.COMPLETED,
    "failed": State.FAILED,
    "cancelled": State.CANCELLED,
}


def ask(desk: Desk, held: Submission) -> Submission:
    """Ask the server what the job is doing.

    Raises:
        UnreachableError: No answer; nothing has changed.
        NoSuchJobError: The server lists the job and does not know it; nothing has changed.
    """
    try:
        job = desk.service.status(_server_id(held))
    except NoSuchJobError as ex:
        return _gone(desk, held, ex)
    if job.server_id != held.server_id:
        raise UnreachableError(f"asked for job {held.server_id}, the answer is {job.server_id}'s")
    if job.tags is not None and held.tag not in job.tags:
        return _foreign(desk, held)
    state = STATES[job.status]
    if state is held.state:
        return held
    return desk.store.move(
        held,
        desk.owner,
        state,
        job.reason or "",
        reason=job.reason,
        reason_code=job.reason_code,
        seconds_used=job.usage_seconds,
    )


def fetch(desk: Desk, held: Submission) -> Submission:
    """Bring a completed job's raw result to disk.

    Raises:
        UnreachableError: No complete answer; nothing has changed.
        NoSuchJobError: The server lists the job and has no result; nothing has changed.
    """
    if desk.policy.wait_seconds(held.not_before, desk.store.now()) > 0:
        return held
    try:
        raw = desk.service.fetch(_server_id(held))
    except NoSuchJobError as ex:
        return _gone(desk, held, ex)
    name = desk.store.blobs.put(raw)
    return desk.store.move(
        held,
        desk.owner,
        State.STORED,
        f"{len(raw):,} bytes, sha256 {name[:12]}…",
        raw=name,
        fetches=held.fetches + 1,
    )


def read(desk: Desk, held: Submission) -> Submission:
    """Decode a stored result and answer the rows; what can't be read is fetched again.

    Raises:
        JobError: It was fetched as often as the policy allows; the raw bytes are kept.
        LedgerError: The package is damaged, which no download mends.
    """
    try:
        answers = redecode(desk.store, held)
    except (DamagedBlobError, DamagedResultError) as ex:
        if held.fetches >= desk.policy.fetches:
            raise JobError(
                f"the result of submission {held.id} (server job {held.server_id}) can't be read "
                f"after {held.fetches} downloads: {ex}. Its bytes are kept"
            ) from ex
        due = desk.store.now() + desk.policy.retry_seconds(held.fetches)
        note = f"fetched again: {ex}"
        return desk.store.move(held, desk.owner, State.COMPLETED, note, not_before=due)
    return desk.store.answer(held, desk.owner, answers)


def _gone(desk: Desk, held: Submission, error: NoSuchJobError) -> Submission:
    """A job that the server does not know any more is lost: it has failed, and may be retried.

    As in `jobs.worker.reconcile`, only a complete search by tag that begins after the grace period
    proves it. Nothing is sent again by itself.

    Raises:
        UnreachableError: It may be too early to say, or the search got no answer.
        NoSuchJobError: The server lists it nevertheless.
    """
    settled = reconcile.is_settled(desk, held)
    found = desk.service.find(held.tag)
    if not settled:
        raise UnreachableError(f"{error}; it is asked for again") from error
    if found:
        raise error
    note = f"{GONE} ({error}), and lists none with its tag"
    return desk.store.move(held, desk.owner, State.FAILED, note, reason=GONE)


def _foreign(desk: Desk, held: Submission) -> Submission:
    """An id under which the server has another job: the tag leads to the right one, or to none.

    Raises:
        UnreachableError: It may be too early to say, or the search got no answer.
    """
    settled = reconcile.is_settled(desk, held)
    if found := desk.service.find(held.tag):
        note = f"job {held.server_id} is another one; found by its tag as {found[0].server_id}"
        return desk.store.move(held, desk.owner, held.state, note, server_id=found[0].server_id)
    if not settled:
        raise UnreachableError(f"job {held.server_id} has another tag; it is asked for again")
    note = f"{FOREIGN} ({held.server_id}), and lists none with its tag"
    return desk.store.move(held, desk.owner, State.FAILED, note, reason=FOREIGN)


def _server_id(held: Submission) -> str:
    if held.server_id is None:
        raise LedgerError(f"submission {held.id} is {held.state} but has no job on the server")
    return held.server_id
