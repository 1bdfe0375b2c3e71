"""What becomes of a submission whose fate is unknown.

A job that the server lists under the tag is adopted at once. That it lists none means something
only when the search was begun later than the request could still arrive, plus the time after which
the service lists what it accepted: then the submission may be sent again. That time is written down
by the sender, and has to have passed by the store's clock and by the computer's own. A search that
fails, or one among another account's jobs, proves nothing.
"""

from __future__ import annotations

from qvlm_qiskit.backends.service import AnotherAccountError
from qvlm_qiskit.basics.computer import clocks
from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs.ledger.records import Submission
from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.jobs.worker.desk import Desk


def interrupted(desk: Desk, held: Submission) -> Submission:
    """A submission that is ``posting`` under a lease that has ended: its worker died on the way."""
    note = "its worker stopped while it was being sent"
    return desk.store.move(held, desk.owner, State.UNKNOWN, note)


def search(desk: Desk, held: Submission) -> Submission:
    """Look for the job by its tag.

    Raises:
        UnreachableError: No complete answer; it stays unknown.
    """
    settled = is_settled(desk, held)
    found = desk.service.find(held.tag)
    if found:
        server_id = found[0].server_id
        note = f"found by its tag as {server_id}"
        if len(found) > 1:
            others = ", ".join(job.server_id for job in found[1:])
            note += f"; the server has more jobs with this tag ({others})"
        # When it might have been sent again says nothing about when its result may be fetched.
        return desk.store.move(
            held, desk.owner, State.QUEUED, note, server_id=server_id, reason=None, not_before=0.0
        )
    if not settled:
        return held
    if held.reason is not None:  # the service's words, with which it refused
        return desk.store.move(held, desk.owner, State.REFUSED, held.reason)
    note = "a search after the grace period found no job: it may be sent again"
    return desk.store.move(held, desk.owner, State.INTENDED, note)


def check_account(desk: Desk, held: Submission) -> None:
    """Refuse to ask one account about the jobs of another.

    Raises:
        AnotherAccountError: The submission was sent by another account or instance.
    """
    if held.account not in (None, desk.service.account):
        raise AnotherAccountError(
            f"submission {held.id} was sent to {held.machine} by another account or instance: only "
            "that one can be asked for its job"
        )


def certain_at(desk: Desk, held: Submission) -> float:
    """From when on, by the store's clock, a search that finds nothing proves something.

    The sender's patience and the searcher's may differ; the longer one counts. A request that was
    answered is not under way any more: only what the service takes to list a job is left.
    """
    if held.answered_at is not None:
        return max(held.answered_at + desk.service.visible_after_seconds, held.certain_at or 0.0)
    if held.posted_at is None:
        raise LedgerError(f"submission {held.id} is {held.state} but was never sent")
    return max(held.posted_at + desk.grace_seconds(), held.certain_at or 0.0)


def is_settled(desk: Desk, held: Submission) -> bool:
    """Whether a search that begins now can prove that there is no job."""
    settled = certain_at(desk, held)
    if desk.store.now() < settled:
        return False
    booted, since = clocks.boot()
    if held.boot is None or booted is None or held.boot_seconds is None:
        return True  # sent by an older release, or on a system that has no such clock
    # On another boot, or another computer, at least the time since this boot has passed.
    passed = since - (held.boot_seconds if held.boot == booted else 0.0)
    begun = held.posted_at if held.answered_at is None else held.answered_at
    return passed >= settled - (begun or 0.0)
