"""Whether a run still goes on: nothing is recorded or sent for one that has ended."""

from __future__ import annotations

from sqlalchemy import Connection, select

from qvlm_qiskit.errors import JobFailedError
from qvlm_qiskit.jobs.ledger import schema

ENDED = {"cancelled": "was cancelled", "failed": "has failed", "done": "is done"}


class RunEndedError(JobFailedError):
    """The run that would pay is not waiting any more; whoever works on it must stop."""


def refuse_ended(connection: Connection, run: str | None) -> None:
    """Raise if a run has ended; it can't end before the transaction does.

    Args:
        connection: In a transaction.
        run: Its id; None and what the ledger has no record of always go on.

    Raises:
        RunEndedError: It was cancelled, has failed or is done.
    """
    if run is None:
        return
    table = schema.runs
    query = select(table.c.state).where(table.c.id == run).with_for_update(read=True)
    state = connection.execute(query).scalar_one_or_none()
    if state in ENDED:
        hint = "" if state == "done" else f" (qvlm jobs retry {run} goes on with it)"
        raise RunEndedError(f"run {run} {ENDED[state]}: nothing more is sent for it{hint}")
