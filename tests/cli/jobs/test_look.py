import json

import pytest
from sqlalchemy import insert, update

from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.ledger import schema
from qvlm_qiskit.jobs.ledger.records import columns_of
from qvlm_qiskit.jobs.ledger.runs import close_run, new_run
from tests.cli.small_runs import STORE
from tests.cli.tables import cells
from tests.jobs.ledger.hammer import columns

REQUEST = {"run": "run", "backend": {"name": "aer"}, "options": {"limit": 7}}


@pytest.fixture
def waiting(place):
    """A run of which nothing was sent."""
    store = JobStore(place / "ledger")
    run = new_run(store, REQUEST)
    store.close()
    return run


def test_a_run_without_jobs_is_listed_with_what_it_asked_for(qvlm, waiting):
    found = qvlm("jobs", "list", *STORE)
    assert (found.status, found.err) == (0, "")
    ((identifier, state, model, machine, jobs, right, _),) = cells(found.out)
    assert (identifier, state, model, machine) == (waiting.id, "waiting", "run", "aer")
    assert (jobs, right) == ("0/0", "–/7")
    (entry,) = json.loads(qvlm("jobs", "list", *STORE, "--json").out)
    assert (entry["id"], entry["jobs"], entry["accuracy"]) == (waiting.id, 0, None)
    assert "result" not in entry


def test_results_that_are_not_there_yet_are_refused(qvlm, waiting):
    found = qvlm("jobs", "results", "last", *STORE)
    assert (found.status, found.out) == (2, "")
    assert found.err == f"qvlm: run {waiting.id} is waiting and has no result yet\n"


def test_what_cost_nothing_is_no_row_of_the_bill(qvlm, waiting):
    found = qvlm("jobs", "usage", *STORE)
    assert (found.status, cells(found.out)) == (0, [])
    assert json.loads(qvlm("jobs", "usage", *STORE, "--json").out) == {"usage": [], "saved": {}}


def test_a_run_is_shown_with_its_record(qvlm, waiting):
    shown = json.loads(qvlm("jobs", "show", waiting.id, *STORE, "--json").out)
    assert (shown["id"], shown["request"], shown["submissions"]) == (waiting.id, REQUEST, [])
    assert f"{waiting.id} on aer: waiting" in qvlm("jobs", "show", "last", *STORE).out


HOSTILE = "[/bold] \x1b[2J[link=x]no\x9b31m[ \u202eend"


def test_a_services_words_are_shown_and_not_obeyed(qvlm, place):
    """Brackets are markup for tables, and escape sequences for terminals."""
    store = JobStore(place / "ledger")
    run = new_run(store, REQUEST)
    with store.transaction() as connection:
        connection.execute(
            insert(schema.submissions).values(columns_of(columns("s-1", run=run.id)))
        )
        connection.execute(
            update(schema.submissions).values(machine=HOSTILE, reason=HOSTILE, state="refused")
        )
    store.note("s-1", HOSTILE)
    close_run(store, run, "failed", error=HOSTILE)
    store.close()
    for words in ("list", "show last", "usage", "watch last", "retry last", "list --json"):
        found = qvlm("jobs", *words.split(), *STORE)
        assert not set(found.out + found.err) & set("\x1b\x9b\u202e"), words
    assert "[/bold] [link=x]no[ end" in " ".join(qvlm("jobs", "show", "last", *STORE).out.split())
