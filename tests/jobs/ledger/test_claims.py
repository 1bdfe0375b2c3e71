"""Who gets a row, on SQLite and on PostgreSQL."""

import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from qvlm_qiskit.errors import JobError, LedgerError
from qvlm_qiskit.jobs import JobStore, State
from qvlm_qiskit.jobs.ledger.runs import retry
from qvlm_qiskit.jobs.ledger.states import FINAL
from tests.jobs.conftest import sqlite_or_postgresql
from tests.jobs.ledger.hammer import claim, columns, key, row
from tests.jobs.ledger.submissions import add, brought_to


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    return sqlite_or_postgresql(request, tmp_path)


def test_rows_are_claimed_all_or_none(ledger):
    add(ledger, "s-1", (1, 2))
    rows = [row(3), row(2, 1)]
    assert not ledger.intend(columns("s-2", rows=2), rows)
    assert set(ledger.find_rows([key(n) for n in (1, 2, 3)])) == {key(1), key(2)}
    assert [s.id for s in ledger.find()] == ["s-1"]
    assert ledger.history("s-2") == []


def test_a_submission_that_can_never_be_recorded_is_an_error_and_not_a_taken_row(ledger):
    add(ledger, "s-1", (1,))
    with pytest.raises(LedgerError):
        ledger.intend(columns("s-1"), [row(2)])
    assert ledger.find_rows([key(2)]) == {}


@pytest.mark.parametrize("state", sorted(FINAL - {State.ANSWERED}))
def test_a_new_attempt_takes_the_rows_over(state, ledger):
    held = brought_to(ledger, State(state), keys=(1, 2))
    new = retry(ledger, held)
    assert (new.previous, new.attempt, new.state) == ("s-1", 2, State.INTENDED)
    assert new.tag != held.tag
    assert [row.key for row in ledger.rows_of(new.id)] == [key(1), key(2)]
    assert ledger.rows_of("s-1") == []
    with pytest.raises(JobError, match="not attempted again"):
        retry(ledger, held)
    assert ledger.count_jobs() == 2


@pytest.mark.parametrize("state", sorted(set(State) - FINAL | {State.ANSWERED}))
def test_what_lives_or_is_answered_gets_no_new_attempt(state, ledger):
    held = brought_to(ledger, State(state))
    with pytest.raises(JobError, match="only one that"):
        retry(ledger, held)
    assert ledger.count_jobs() == 1


def check_claims(store, won, universe):
    owned = {k: row.submission for k, row in store.find_rows(map(key, range(universe))).items()}
    expected = {k: identifier for identifier, keys in won.items() for k in keys}
    assert sum(len(keys) for keys in won.values()) == len(expected)
    assert owned == expected
    assert {s.id for s in store.find()} == set(won)


def test_every_row_has_one_submission_after_many_threads(place, ledger):
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(claim, *place, f"t{n}", 60, 8) for n in range(8)]
        won = {k: v for job in jobs for k, v in job.result().items()}
    check_claims(ledger, won, 60)


def test_claims_in_opposite_orders_do_not_wait_for_each_other(place, ledger):
    """Unsorted, two such claims are a deadlock on PostgreSQL, which ends one with an error."""
    rows = [row(number, number) for number in range(3000)]
    barrier, store = threading.Barrier(2), JobStore(*place)

    def intend(ledger, name, rows):
        barrier.wait()
        return ledger.intend(columns(name, rows=len(rows)), rows)

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(intend, ledger, "s-1", rows)
        two = pool.submit(intend, store, "s-2", rows[::-1])
        assert sorted([one.result(), two.result()]) == [False, True]
    store.close()


@pytest.mark.slow
def test_every_row_has_one_submission_after_many_processes(place, ledger):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(8, mp_context=context) as pool:
        jobs = [pool.submit(claim, *place, f"p{n}", 400, 150) for n in range(8)]
        won = {k: v for job in jobs for k, v in job.result().items()}
    check_claims(ledger, won, 400)
