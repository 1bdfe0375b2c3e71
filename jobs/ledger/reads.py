"""What a ledger is asked: rows, submissions, histories and answers, each from one state of it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs.ledger import schema
from qvlm_qiskit.jobs.ledger.projection import window
from qvlm_qiskit.jobs.ledger.records import (
    Event,
    Floats,
    StoredRow,
    Submission,
    floats_from,
    stored_row_from,
    submission_from,
)
from qvlm_qiskit.jobs.ledger.states import FINAL, State

Item = TypeVar("Item")

WINDOWS = 50  # of near rows that one statement asks for
CHUNK = 500  # SQLite's older builds take 999 variables in one statement

FREE = select(schema.submissions.c.id).where(schema.submissions.c.state == State.WITHDRAWN.value)
"""Submissions whose rows anybody may buy."""


class LedgerReads(ABC):
    """The questions of a `JobStore`.

    Attributes:
        place: What the ledger is called in messages.
    """

    place: str

    @abstractmethod
    def reading(self) -> AbstractContextManager[Connection]:
        """A transaction that only reads, one state of the database, without a lock."""

    def find_rows(self, keys: Iterable[str]) -> dict[str, StoredRow]:
        """What is known of rows, by key; unknown and free ones are left out."""
        table, found = schema.rows, {}
        with self.reading() as connection:
            for part in chunks(list(keys)):
                query = select(table).where(table.c.key.in_(part), table.c.submission.not_in(FREE))
                for line in connection.execute(query):
                    found[line.key] = stored_row_from(line)
        return found

    def values_of(self, kind: str, keys: Iterable[str]) -> dict[str, Floats]:
        """Parameter values of those rows of a kind that are not lost, by key.

        Rows of submissions that ended without results are left out: nobody will answer them.
        """
        table, found = schema.rows.c, {}
        with self.reading() as connection:
            for part in chunks(list(keys)):
                lines = connection.execute(_living(table.kind).where(table.key.in_(part)))
                # not asked of the database: it would look through all rows of the kind
                found.update(
                    {one.key: floats_from(one.parameters) for one in lines if one.kind == kind}
                )
        return found

    def values_near(self, kind: str, values: Sequence[Floats], bound: float) -> dict[str, Floats]:
        """Those of all rows of a kind that may be within a bound of given ones, by key.

        Args:
            kind: See `values_of`.
            values: Parameter values of the given rows.
            bound: In every parameter. Some of the rows that are returned are farther away.
        """
        table, found = schema.rows.c, {}
        windows = [window(one, bound) for one in values]
        with self.reading() as connection:
            for part in chunks(windows, WINDOWS):
                # With the kind in each alternative every one of them is a search in an index.
                near = or_(
                    *(
                        and_(table.kind == kind, table.projection.between(low, high))
                        for low, high in part
                    )
                )
                lines = connection.execute(_living().where(near))
                found.update({one.key: floats_from(one.parameters) for one in lines})
        return dict(sorted(found.items()))

    def rows_of(self, submission: str) -> list[StoredRow]:
        """The rows that a submission buys, by pub and position."""
        table = schema.rows
        query = (
            select(table)
            .where(table.c.submission == submission)
            .order_by(table.c.pub, table.c.position)
        )
        with self.reading() as connection:
            return [stored_row_from(line) for line in connection.execute(query)]

    def row_counts(self, submission: str) -> dict[int, int]:
        """How many rows a submission buys, by pub."""
        table = schema.rows.c
        query = select(table.pub, func.count()).where(table.submission == submission)
        with self.reading() as connection:
            lines = connection.execute(query.group_by(table.pub))
            return {pub: count for pub, count in lines}

    def count_rows(self) -> int:
        """How many rows are answered or being bought."""
        with self.reading() as connection:
            count = select(func.count()).select_from(schema.rows)
            return int(connection.execute(count).scalar_one())

    def count_jobs(self) -> int:
        """How many submissions there are."""
        with self.reading() as connection:
            count = select(func.count()).select_from(schema.submissions)
            return int(connection.execute(count).scalar_one())

    def submission(self, identifier: str) -> Submission:
        """A submission by its id.

        Raises:
            LedgerError: There is none.
        """
        found = self.find(schema.submissions.c.id == identifier)
        if not found:
            raise LedgerError(f"the ledger {self.place} has no submission {identifier!r}")
        return found[0]

    def find(self, *conditions: Any) -> list[Submission]:
        """Submissions that fulfil SQLAlchemy conditions on `schema.submissions`, oldest first."""
        table = schema.submissions
        query = select(table).where(*conditions).order_by(table.c.created_at, table.c.id)
        with self.reading() as connection:
            return [submission_from(line) for line in connection.execute(query)]

    def ids_in_state(self, state: State) -> list[str]:
        """Ids of the submissions in a state, oldest first."""
        table = schema.submissions
        query = select(table.c.id).where(table.c.state == state.value)
        with self.reading() as connection:
            ordered = query.order_by(table.c.created_at, table.c.id)
            return list(connection.execute(ordered).scalars())

    def in_state(self, state: State) -> list[Submission]:
        """Submissions in a state, oldest first."""
        return self.find(schema.submissions.c.state == state.value)

    def with_server_id(self, machine: str, server_id: str) -> list[Submission]:
        """Submissions whose job on a machine has an id, the oldest first."""
        table = schema.submissions
        return self.find(table.c.server_id == server_id, table.c.machine == machine)

    def history(self, identifier: str) -> list[Event]:
        """What happened to a submission, in order."""
        table = schema.events
        query = (
            select(table.c.at, table.c.state, table.c.note, table.c.owner)
            .where(table.c.submission == identifier)
            .order_by(table.c.number)
        )
        with self.reading() as connection:
            return [Event(*line) for line in connection.execute(query)]

    def answers_of(self, submission: str) -> list[tuple[dict[str, Any], float]]:
        """Metadata and time of the answers of a submission, by pub; empty before it is answered.

        Raises:
            LedgerError: The answer of a pub is missing: the database is damaged.
        """
        table = schema.answers
        query = (
            select(table.c.pub, table.c.metadata, table.c.answered_at)
            .where(table.c.submission == submission)
            .order_by(table.c.pub)
        )
        answered = select(schema.submissions.c.id).where(
            schema.submissions.c.id == submission,
            schema.submissions.c.state == State.ANSWERED.value,
        )
        pubs = select(func.max(schema.rows.c.pub)).where(
            schema.rows.c.submission == submission, schema.rows.c.submission.in_(answered)
        )
        with self.reading() as connection:
            lines = connection.execute(query).all()
            last = connection.execute(pubs).scalar_one_or_none()
        known = [line.pub for line in lines]
        if known != list(range(len(known))) or (last is not None and last >= len(known)):
            raise LedgerError(
                f"the ledger {self.place} is damaged: an answer of submission {submission} is "
                "missing; qvlm jobs verify says what else is. Restore a copy of the ledger, or ask "
                "with --fresh for new samples"
            )
        return [(json.loads(line.metadata), line.answered_at) for line in lines]


def _living(*columns: ColumnElement[Any]) -> Select[Any]:
    """Key and parameters of rows that somebody has answered or will answer."""
    table, other = schema.rows, schema.submissions
    ended = [state.value for state in FINAL - {State.ANSWERED}]
    return (
        select(table.c.key, table.c.parameters, *columns)
        .join(other, other.c.id == table.c.submission)
        .where(other.c.state.not_in(ended))
    )


def chunks(whole: list[Item], size: int = CHUNK) -> Iterator[list[Item]]:
    """Parts that one statement takes."""
    for first in range(0, len(whole), size):
        yield whole[first : first + size]
