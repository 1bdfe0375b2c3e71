"""Leases, and what only their holder may do: change a submission's state, write its answers."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, insert, not_, or_, select, update

from qvlm_qiskit.backends.pubs.answer import PubAnswer
from qvlm_qiskit.basics.computer import clocks
from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs.ledger import history, schema
from qvlm_qiskit.jobs.ledger.journal import Journal
from qvlm_qiskit.jobs.ledger.reads import LedgerReads
from qvlm_qiskit.jobs.ledger.records import Submission, bytes_of, storable, submission_from
from qvlm_qiskit.jobs.ledger.states import NEXT, State


class LeaseLostError(LedgerError):
    """Another worker has taken the submission over; the one that lost it must stop."""


class LedgerLeases(LedgerReads):
    """How the submissions of a `JobStore` change.

    Attributes:
        journal: The records beside the files.
    """

    journal: Journal

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Connection]:
        """A database transaction; on SQLite it has the write lock from its beginning."""

    def acquire(self, identifier: str, owner: str, seconds: float) -> Submission | None:
        """Take or renew the lease of a submission; None while another worker has it.

        On the computer that took it the time since boot says when it ends, elsewhere the store's
        clock, by which no lease lasts longer from now than it was taken for.
        """
        table = schema.submissions
        with self.transaction() as connection:
            now, (booted, since) = history.now_in(connection), clocks.boot()
            free = or_(
                table.c.lease_owner.is_(None), table.c.lease_owner == owner, not_(_lease_lasts(now))
            )
            taken = connection.execute(
                update(table)
                .where(table.c.id == identifier, free)
                .values(
                    lease_owner=owner, lease_until=now + seconds, lease_seconds=seconds,
                    lease_boot=booted, lease_boot_until=since + seconds,
                )
            )  # fmt: skip
            if taken.rowcount != 1:
                # One that ends later than that was taken before the clock was set back.
                connection.execute(
                    update(table)
                    .where(
                        table.c.id == identifier, table.c.lease_until > now + table.c.lease_seconds
                    )
                    .values(lease_until=now + table.c.lease_seconds)
                )
                return None
            line = connection.execute(select(table).where(table.c.id == identifier)).one()
        return submission_from(line)

    def release(self, identifier: str, owner: str) -> None:
        """Give a lease back before its end."""
        table = schema.submissions
        with self.transaction() as connection:
            connection.execute(
                update(table)
                .where(table.c.id == identifier, table.c.lease_owner == owner)
                .values(lease_owner=None, lease_until=None)
            )

    def move(
        self, held: Submission, owner: str, state: State, note: str = "", **changes: Any
    ) -> Submission:
        """Change a submission's state under its lease; the history gets a line.

        Args:
            held: As it was read under the lease.
            owner: Who holds the lease.
            state: The new state; the old one changes nothing but the columns.
            note: For the history.
            **changes: Other columns.

        Raises:
            LeaseLostError: The lease has ended or is another's, or the state has changed.
            LedgerError: The new state can't follow the old one.
        """
        if state is not held.state and state not in NEXT[held.state]:
            raise LedgerError(f"a submission that is {held.state} can't become {state}")
        table = schema.submissions
        with self.transaction() as connection:
            self._write(connection, held, owner, {"state": state.value, **changes})
            history.add_event(connection, held.id, state, note, owner)
            if state not in _FOUND_AGAIN:
                return submission_from(self.journal.keep(connection, table, held.id))
            line = connection.execute(select(table).where(table.c.id == held.id)).one()
        return submission_from(line)

    def answer(self, held: Submission, owner: str, answers: Sequence[PubAnswer]) -> Submission:
        """Write the values of all rows of a submission; they are never changed afterwards.

        Args:
            held: In the state ``stored``, as it was read under the lease.
            owner: Who holds the lease.
            answers: By pub of the package; the last axis counts the rows.

        Raises:
            LeaseLostError: See `move`.
        """
        table = schema.rows
        lines = self.rows_of(held.id)
        with self.transaction() as connection:
            now = self._write(connection, held, owner, {"state": State.ANSWERED.value})
            for line in lines:
                answer = answers[line.pub]
                written = connection.execute(
                    update(table)
                    .where(table.c.key == line.key, table.c.evs.is_(None))
                    .values(
                        evs=bytes_of(answer.evs[..., line.position]),
                        stds=bytes_of(answer.stds[..., line.position]),
                    )
                )
                if written.rowcount != 1:
                    raise LedgerError(f"row {line.key} was answered before; nothing was changed")
            for number, answer in enumerate(answers):
                connection.execute(
                    insert(schema.answers).values(
                        submission=held.id, pub=number, answered_at=now,
                        metadata=json.dumps(dict(answer.metadata), allow_nan=False),
                    )
                )  # fmt: skip
            history.add_event(
                connection, held.id, State.ANSWERED, f"{len(lines)} rows answered", owner
            )
        return self.submission(held.id)

    def note(self, identifier: str, text: str, owner: str | None = None) -> None:
        """Add a line to a submission's history without changing it.

        What the last line says already is not repeated: a service can be away for days.
        """
        events = schema.events.c
        last = (
            select(events.note)
            .where(events.submission == identifier)
            .order_by(events.number.desc())
            .limit(1)
        )
        with self.transaction() as connection:
            if connection.execute(last).scalar_one_or_none() == storable(text):
                return
            state = connection.execute(
                select(schema.submissions.c.state).where(schema.submissions.c.id == identifier)
            ).scalar_one()
            history.add_event(connection, identifier, State(state), text, owner)

    def _write(
        self, connection: Connection, held: Submission, owner: str, changes: Mapping[str, Any]
    ) -> float:
        """Write under the lease, and return when; the clock is read when the lock is held."""
        table, now = schema.submissions, history.now_in(connection)
        written = connection.execute(
            update(table)
            .where(
                table.c.id == held.id,
                table.c.state == held.state.value,
                table.c.lease_owner == owner,
                _lease_lasts(now),
            )
            .values(updated_at=now, **{name: storable(value) for name, value in changes.items()})
        )
        if written.rowcount != 1:
            raise LeaseLostError(
                f"submission {held.id} is no longer this worker's: its lease has ended"
            )
        return now


_FOUND_AGAIN = (State.RUNNING, State.COMPLETED)
"""States that the service tells again: no record beside the files is needed."""


def _lease_lasts(now: float) -> ColumnElement[bool]:
    """Whether a lease lasts, by the one of two clocks that nobody can set, where it says so."""
    table, (booted, since) = schema.submissions, clocks.boot()
    here = and_(table.c.lease_boot.is_not(None), table.c.lease_boot == booted)
    return case((here, table.c.lease_boot_until > since), else_=table.c.lease_until > now)
