"""What ended jobs were charged, where the server did not say so at once.

A service may call a job completed before its bill is certain. Until it is known such a job counts
as not paid yet: with its estimate against what the account has left, with its maximum execution
time against the budget of its run. It is asked for again before the next job is sent to the same
machine, and when the run ends.
"""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import and_, or_, update

from qvlm_qiskit.backends.service import JobService, NoSuchJobError, UnreachableError
from qvlm_qiskit.jobs.ledger import schema
from qvlm_qiskit.jobs.ledger.records import Submission
from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.jobs.ledger.store import JobStore

logger = logging.getLogger(__name__)

LIVING = (State.POSTING, State.UNKNOWN, State.QUEUED, State.RUNNING)
ENDED = (State.COMPLETED, State.STORED, State.ANSWERED, State.FAILED, State.CANCELLED)
RECENT_SECONDS = 86_400.0
"""After so long what the account has left is taken to include a job, though its bill never came;
otherwise one whose bill was lost would block all others for ever."""
AT_ONCE = 20
"""Before a job is sent no more than so many bills are asked for; the others stay counted."""


def settle(
    store: JobStore, service: JobService, *, run: str | None = None, recent: bool = False
) -> int:
    """Ask a machine once more what ended jobs were charged; what it says is never changed later.

    Args:
        store: The ledger.
        service: The machine; one that does not charge is not asked.
        run: Only the jobs of this run.
        recent: Also, or only, those that ended within `RECENT_SECONDS`, and not too many at once.

    Returns:
        How many jobs are still without a bill: the server does not know it yet, gave no answer, or
        does not know the job any more.
    """
    if not service.charges:
        return 0
    table = schema.submissions
    chosen = [] if run is None else [table.c.run == run]
    if recent:
        chosen.append(_recent(store))
    either = [or_(*chosen)] if chosen else []
    waiting = store.find(_of_account(service), _without_bill(), *either)[::-1]
    settled = 0
    for one in waiting[: AT_ONCE if recent else None]:
        try:
            seconds = service.status(str(one.server_id)).usage_seconds
        except NoSuchJobError:
            continue
        except UnreachableError as ex:
            logger.warning("no usage of submission %s: %s", one.id, ex)
            break
        if seconds is not None:
            _write(store, one, seconds)
            settled += 1
    return len(waiting) - settled


def unpaid(store: JobStore, service: JobService, *, since: float | None = None) -> list[Submission]:
    """Jobs of a ledger that a machine's account will be charged for, or was not long ago.

    Args:
        store: The ledger.
        service: The machine.
        since: With all that has changed since then, paid or not.
    """
    table = schema.submissions
    living = table.c.state.in_([state.value for state in LIVING])
    kinds = [living, and_(_without_bill(), _recent(store))]
    if since is not None:
        kinds.append(and_(table.c.server_id.is_not(None), table.c.updated_at >= since))
    return store.find(_of_account(service), or_(*kinds))


def _of_account(service: JobService) -> Any:
    """A job that an older release sent does not say whose it is."""
    table = schema.submissions
    own = or_(table.c.account.is_(None), table.c.account == service.account)
    return and_(table.c.machine == service.machine, own)


def _recent(store: JobStore) -> Any:
    return schema.submissions.c.updated_at > store.now() - RECENT_SECONDS


def _without_bill() -> Any:
    table = schema.submissions
    return and_(
        table.c.state.in_([state.value for state in ENDED]),
        table.c.server_id.is_not(None),
        table.c.seconds_used.is_(None),
    )


def _write(store: JobStore, submission: Submission, seconds: float) -> None:
    """Without a lease: a bill changes no state, and the first to write it wins."""
    table = schema.submissions
    with store.transaction() as connection:
        written = connection.execute(
            update(table)
            .where(table.c.id == submission.id, table.c.seconds_used.is_(None))
            .values(seconds_used=seconds)
        )
        if written.rowcount == 1:
            store.journal.keep(connection, table, submission.id)
    if written.rowcount == 1:
        store.note(submission.id, f"charged {seconds:,.1f} QPU s")
