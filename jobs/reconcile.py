"""What becomes of a submission whose fate is unknown.

A job that the server lists under the tag is adopted at once. That it lists none means something
only when the search was begun later than the request could still arrive, plus the time after which
the service lists what it accepted: then the submission may be sent again. A search that fails
proves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs.records import Submission
from qvlm_qiskit.jobs.states import State

if TYPE_CHECKING:
    from qvlm_qiskit.jobs.worker import Worker


def interrupted(worker: Worker, held: Submission) -> Submission:
    """A submission that is ``posting`` under a lease that has ended: its worker died on the way."""
    note = "its worker stopped while it was being sent"
    return worker.store.move(held, worker.owner, State.UNKNOWN, note)


def search(worker: Worker, held: Submission) -> Submission:
    """Look for the job by its tag.

    Raises:
        UnreachableError: No complete answer; it stays unknown.
    """
    begun = worker.store.now()
    found = worker.service.find(held.tag)
    if found:
        server_id = found[0].server_id
        note = f"found by its tag as {server_id}"
        if len(found) > 1:
            others = ", ".join(job.server_id for job in found[1:])
            note += f"; the server has more jobs with this tag ({others})"
        return worker.store.move(held, worker.owner, State.QUEUED, note, server_id=server_id)
    if begun < certain_at(worker, held):
        return held
    note = "a search after the grace period found no job: it may be sent again"
    return worker.store.move(held, worker.owner, State.INTENDED, note)


def certain_at(worker: Worker, held: Submission) -> float:
    """From when on a search that finds nothing proves that there is nothing."""
    if held.posted_at is None:
        raise LedgerError(f"submission {held.id} is {held.state} but was never sent")
    service = worker.service
    # `submit.post` sends within `start_seconds` of `posted_at` or not at all.
    sent = held.posted_at + worker.policy.start_seconds
    return sent + service.post_seconds + service.visible_after_seconds
