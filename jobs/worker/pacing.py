"""How many jobs are sent in a minute: as many as the service takes, counted over all workers."""

from __future__ import annotations

from sqlalchemy import delete, func, insert, select

from qvlm_qiskit.backends.service import JobService
from qvlm_qiskit.jobs.ledger import schema
from qvlm_qiskit.jobs.ledger.database import alone
from qvlm_qiskit.jobs.ledger.history import now_in
from qvlm_qiskit.jobs.ledger.store import JobStore

WINDOW_SECONDS = 60.0


def take_turn(store: JobStore, service: JobService, submission: str) -> float:
    """Take one of the service's requests of this minute.

    Returns:
        0 when it was taken; otherwise the seconds until one is free.
    """
    if service.posts_per_minute is None:
        return 0.0
    table = schema.posts
    with store.transaction() as connection:
        alone(connection, f"posts to {service.machine}")  # counting and inserting are one step
        now = now_in(connection)
        since = now - WINDOW_SECONDS
        connection.execute(delete(table).where(table.c.at < since - WINDOW_SECONDS))
        # One further ahead than the window was noted before the clock was set back.
        current = (table.c.at > since) & (table.c.at <= now + WINDOW_SECONDS)
        mine = (table.c.machine == service.machine) & current
        taken, oldest = connection.execute(
            select(func.count(), func.min(table.c.at)).where(mine)
        ).one()
        if taken >= service.posts_per_minute:
            return min(max(float(oldest) + WINDOW_SECONDS - now, 0.1), WINDOW_SECONDS)
        connection.execute(
            insert(table).values(machine=service.machine, submission=submission, at=now)
        )
    return 0.0
