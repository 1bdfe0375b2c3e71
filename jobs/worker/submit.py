"""The one place where a job is sent.

The order of the steps is the guarantee. The package and the intent, with a random tag, are on disk
before anything is sent; the state ``posting`` is on disk before the request leaves; whatever
happens then is either known for sure, or the submission becomes ``unknown`` and only a search by
its tag (`jobs.worker.reconcile`) leads on. A worker that dies at any point leaves one of these
states.
"""

from __future__ import annotations

from dataclasses import replace

from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.backends.service import (
    AmbiguousError,
    DeniedError,
    NotAcceptedError,
    RefusedError,
    SessionClosedError,
)
from qvlm_qiskit.basics.computer import clocks
from qvlm_qiskit.errors import BudgetError, JobError, JobPending, LedgerError
from qvlm_qiskit.jobs.ledger.records import Submission
from qvlm_qiskit.jobs.ledger.run_states import RunEndedError
from qvlm_qiskit.jobs.ledger.runs import check_run_lives
from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.jobs.worker.desk import Desk
from qvlm_qiskit.jobs.worker.pacing import take_turn


def post(desk: Desk, held: Submission) -> Submission:
    """Send an intended submission once, if it is due, affordable, and its turn has come.

    One whose run has ended is withdrawn instead, so that a run that goes on can buy its rows.

    Raises:
        BudgetError: It would cost more than is allowed; it stays intended.
        JobPending: The budget is reserved for jobs that still run; it stays intended.
        JobError: It was recorded for another machine or form of results, or the plan or the machine
            has no batch or session; it stays intended.
        UnreachableError: The machine did not say what is left to use; it stays intended.
        LedgerError: Its package is damaged; it stays intended.
    """
    store, service = desk.store, desk.service
    try:
        check_run_lives(store, held)
    except RunEndedError as ex:
        return store.move(held, desk.owner, State.WITHDRAWN, f"not sent: {ex}")
    if desk.policy.wait_seconds(held.not_before, store.now()) > 0:
        return held
    _check_service(desk, held)
    package = Package.from_bytes(store.blobs.get(held.package))
    paid = replace(held, run=desk.payer(held))
    reading = desk.budget.check(store, service, paid)
    if paid.run != held.run:
        note = f"sent and paid by {paid.run or 'no run'}; was recorded by {held.run or 'no run'}"
        held = store.move(held, desk.owner, State.INTENDED, note, run=paid.run)
    try:
        session = desk.sessions.current(held)
    except RefusedError as ex:
        raise JobError(f"submission {held.id} can't be sent in a {desk.mode}: {ex}") from ex
    if (wait := take_turn(store, service, held.id)) > 0:
        due = store.now() + wait
        return store.move(held, desk.owner, State.INTENDED, f"paced: {wait:.0f} s", not_before=due)
    held = _marked(desk, held, session)
    try:
        desk.budget.check_again(store, service, held, reading)
        # A cancellation may not have seen the mark.
        check_run_lives(store, held)
    except (BudgetError, JobPending, RunEndedError) as ex:
        note = f"not sent: {ex}"
        held = store.move(held, desk.owner, State.INTENDED, note, posts=held.posts - 1)
        if isinstance(ex, RunEndedError):
            return held  # the next step withdraws it
        raise
    late = max(store.now() - _posted_at(held), clocks.boot()[1] - (held.boot_seconds or 0.0))
    if late > desk.policy.start_seconds:
        # A search may count from `posted_at` by now: nothing may leave any more.
        note = f"not sent: {late:.1f} s passed before the request could leave"
        return store.move(held, desk.owner, State.INTENDED, note, posts=held.posts - 1)
    return _sent(desk, held, package)


def _check_service(desk: Desk, held: Submission) -> None:
    """Refuse to send what was recorded for another machine, or in another form.

    Raises:
        JobError: Its answers would be read as what they are not.
    """
    service = desk.service
    if (held.machine, held.decoder) != (service.machine, service.decoder):
        raise JobError(
            f"submission {held.id} is for {held.machine}, whose results are {held.decoder}; it is "
            f"not sent to {service.machine} ({service.decoder})"
        )


def _marked(desk: Desk, held: Submission, session: str | None) -> Submission:
    """On disk, before the request leaves, that it may have left."""
    booted, since = clocks.boot()
    now = desk.store.now()
    return desk.store.move(
        held,
        desk.owner,
        State.POSTING,
        f"request {held.posts + 1}",
        posts=held.posts + 1,
        posted_at=now,
        answered_at=None,
        reason=None,
        certain_at=now + desk.grace_seconds(),
        boot=booted,
        boot_seconds=since,
        account=desk.service.account,
        session=session,
        max_seconds=desk.budget.cap(desk.store, desk.service, held),
    )


def _sent(desk: Desk, held: Submission, package: Package) -> Submission:
    """Send the request, once, and note what came of it."""
    store = desk.store
    try:
        server_id = desk.service.submit(
            package, held.tag, max_seconds=held.max_seconds, session=held.session
        )
    except RefusedError as ex:
        return store.move(held, desk.owner, State.REFUSED, str(ex), reason=str(ex))
    except NotAcceptedError as ex:
        if isinstance(ex, SessionClosedError):
            desk.sessions.forget(held.session)
        due = _due(desk, held, ex.retry_after_seconds)
        return store.move(held, desk.owner, State.INTENDED, f"not accepted: {ex}", not_before=due)
    except DeniedError as ex:
        return _denied(desk, held, ex)
    except AmbiguousError as ex:
        return store.move(held, desk.owner, State.UNKNOWN, str(ex))
    if taken := store.with_server_id(held.machine, server_id):
        note = f"answered with the id {server_id}, which is that of {taken[0].id}"
        return store.move(held, desk.owner, State.UNKNOWN, note)
    return store.move(
        held, desk.owner, State.QUEUED, f"accepted as {server_id}", server_id=server_id
    )


def _denied(desk: Desk, held: Submission, error: DeniedError) -> Submission:
    """A request that was answered is not under way any more: the search waits from now on."""
    if error.session_closed:
        desk.sessions.forget(held.session)
    booted, since = clocks.boot()
    now = desk.store.now()
    return desk.store.move(
        held,
        desk.owner,
        State.UNKNOWN,
        f"not accepted: {error}; a search makes sure",
        answered_at=now,
        certain_at=now + desk.service.visible_after_seconds,
        boot=booted,
        boot_seconds=since,
        not_before=_due(desk, held, error.retry_after_seconds),
        reason=str(error) if error.final else None,
    )


def _due(desk: Desk, held: Submission, asked_seconds: float | None) -> float:
    """When a request that was not accepted may be sent again."""
    wait = max(desk.policy.retry_seconds(held.posts), asked_seconds or 0.0)
    return desk.store.now() + min(wait, desk.policy.longest_wait_seconds)


def _posted_at(held: Submission) -> float:
    if held.posted_at is None:
        raise LedgerError(f"submission {held.id} is {held.state} but was never sent")
    return held.posted_at
