"""Which ways SQLite takes: what a call asks must not look through the ledger."""

import pytest
from sqlalchemy import event

from qvlm_qiskit.jobs.ledger.runs import last_run, load_run, new_run, submissions_of
from tests.jobs.unreliable import Unreliable


@pytest.fixture
def asked(store):
    """All statements with their values, that others than this fixture have executed."""
    seen = []

    def note(connection, cursor, statement, parameters, context, many):
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            seen.append((statement, parameters[0] if many else parameters))

    event.listen(store.engine, "before_cursor_execute", note)
    yield seen
    event.remove(store.engine, "before_cursor_execute", note)


def ways(store, asked):
    """How each is executed."""
    with store.reading() as connection:
        raw = connection.connection.driver_connection
        for statement, values in list(asked):
            for line in raw.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall():
                yield statement, line[3]


SMALL = ("meta", "posts", "runs")
"""Tables that stay small, or are read whole because all of it is shown."""


def test_no_statement_of_a_call_looks_through_a_table(buy, store, asked):
    run = new_run(store, {})
    service = Unreliable()
    buy(service, [0.1, 0.2], run=run.id, mode="batch")
    buy(service, [0.1 + 1e-8, 0.3], run=run.id, mode="batch")
    buy(service, [0.1 + 1e-8], run=run.id)
    submissions_of(store, load_run(store, run.id))
    last_run(store)
    assert len(asked) > 50
    scans = {
        (statement, way)
        for statement, way in ways(store, asked)
        if way.startswith("SCAN") and way.split()[1] not in SMALL
    }
    assert scans == set()


def test_rows_near_others_are_found_by_their_numbers(buy, store, asked):
    buy(Unreliable(), [0.1])
    asked.clear()
    buy(Unreliable(), [0.1 + 1e-8])
    found = [way for _, way in ways(store, asked) if "rows_by_projection" in way]
    assert found and all("kind=? AND projection>? AND projection<?" in way for way in found)
