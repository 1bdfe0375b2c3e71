"""Recording submissions and claiming their rows: of several that want a row, one gets it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from qvlm_qiskit.jobs.ledger import history, schema
from qvlm_qiskit.jobs.ledger.database import TakenError
from qvlm_qiskit.jobs.ledger.reads import FREE, LedgerReads, chunks
from qvlm_qiskit.jobs.ledger.records import columns_of
from qvlm_qiskit.jobs.ledger.run_states import refuse_ended
from qvlm_qiskit.jobs.ledger.states import FINAL, State


class LedgerClaims(LedgerReads):
    """How a `JobStore` gets its submissions."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Connection]:
        """A database transaction; on SQLite it has the write lock from its beginning."""

    def intend(self, submission: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> bool:
        """Record a submission and claim its rows, all or nothing.

        Args:
            submission: Values of its columns.
            rows: Of every row: key, pub, position, kind and parameters.

        Returns:
            False when another submission has one of the rows; then nothing was written.

        Raises:
            RunEndedError: Its run was cancelled, has failed or is done; nothing was written.
        """
        # In one order everywhere, or two claims could wait for each other's rows for ever.
        lines = [
            {**row, "submission": submission["id"]} for row in sorted(rows, key=itemgetter("key"))
        ]
        try:
            with self.transaction() as connection:
                refuse_ended(connection, submission["run"])
                _drop_free(connection, [line["key"] for line in lines])
                connection.execute(insert(schema.rows), lines)
                connection.execute(insert(schema.submissions).values(columns_of(submission)))
                history.add_event(connection, submission["id"], State.INTENDED, "recorded", None)
        except TakenError:
            if not self.find_rows(line["key"] for line in lines):
                raise  # not a row: nothing would be different at the next try
            return False
        return True

    def intend_again(self, submission: Mapping[str, Any]) -> bool:
        """Record a new attempt at a submission that ended without results, with the same rows.

        Returns:
            False when the earlier one still lives, has answers, or was attempted again already; or
            when it was withdrawn and others have taken some of its rows.

        Raises:
            RunEndedError: See `intend`.
        """
        table, previous = schema.rows, submission["previous"]
        ended = [state.value for state in FINAL - {State.ANSWERED}]
        with self.transaction() as connection:
            refuse_ended(connection, submission["run"])
            old = connection.execute(
                select(schema.submissions.c.state)
                .where(schema.submissions.c.id == previous)
                .with_for_update()
            ).scalar_one_or_none()
            if old not in ended:
                return False
            # locked, or another submission could take one of them meanwhile
            own = select(table.c.key).where(table.c.submission == previous).with_for_update()
            if len(connection.execute(own).all()) != submission["rows"]:
                return False
            connection.execute(
                update(table)
                .where(table.c.submission == previous)
                .values(submission=submission["id"])
            )
            connection.execute(insert(schema.submissions).values(columns_of(submission)))
            note = f"attempt {submission['attempt']}, after {previous}"
            history.add_event(connection, submission["id"], State.INTENDED, note, None)
        return True


def _drop_free(connection: Connection, keys: list[str]) -> None:
    """Forget those of the rows that only a withdrawn submission has asked for."""
    table = schema.rows
    for part in chunks(keys):
        connection.execute(delete(table).where(table.c.key.in_(part), table.c.submission.in_(FREE)))
