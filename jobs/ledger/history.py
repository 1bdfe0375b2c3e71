"""A submission's history, and the clock of the store that dates it."""

from __future__ import annotations

import time

from sqlalchemy import Connection, func, insert, select

from qvlm_qiskit.jobs.ledger import schema
from qvlm_qiskit.jobs.ledger.records import storable
from qvlm_qiskit.jobs.ledger.states import State


def now_in(connection: Connection) -> float:
    """The store's clock, read inside a transaction."""
    if connection.dialect.name != "postgresql":
        return time.time()
    clock = func.extract("epoch", func.clock_timestamp())
    return float(connection.execute(select(clock)).scalar_one())


def add_event(
    connection: Connection, identifier: str, state: State, note: str, owner: str | None
) -> None:
    """Add a line to a submission's history, in the transaction that changes it."""
    connection.execute(
        insert(schema.events).values(
            submission=identifier,
            at=now_in(connection),
            state=state.value,
            note=storable(note),
            owner=owner,
        )
    )
