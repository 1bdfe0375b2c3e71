"""The ledger's own guarantees, on SQLite and on PostgreSQL."""

import math
import multiprocessing
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qvlm_qiskit.errors import JobError, LedgerError
from qvlm_qiskit.jobs import JobStore, State, Worker
from qvlm_qiskit.jobs.ledger.runs import retry
from qvlm_qiskit.jobs.ledger.states import FINAL
from qvlm_qiskit.jobs.ledger.store import LeaseLostError
from tests.jobs.conftest import sqlite_or_postgresql
from tests.jobs.ledger.hammer import claim, columns, key, march, row
from tests.jobs.ledger.submissions import add, answers, brought_to


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    return sqlite_or_postgresql(request, tmp_path)


# Leases --------------------------------------------------------------------------------------


def test_a_lease_is_one_owners_until_it_ends_or_is_given_back(ledger):
    add(ledger)
    assert ledger.acquire("s-1", "a", 60.0).lease_owner == "a"
    assert ledger.acquire("s-1", "b", 60.0) is None
    assert ledger.acquire("s-1", "a", 0.05) is not None
    time.sleep(0.1)
    assert ledger.acquire("s-1", "b", 60.0).lease_owner == "b"
    assert ledger.acquire("s-1", "a", 60.0) is None
    ledger.release("s-1", "a")  # not a's to give back
    assert ledger.acquire("s-1", "a", 60.0) is None
    ledger.release("s-1", "b")
    assert ledger.acquire("s-1", "a", 60.0).lease_owner == "a"
    assert ledger.acquire("s-2", "a", 60.0) is None


def test_a_worker_on_a_host_with_a_long_name_can_hold_a_lease(ledger, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "node-" * 12 + "1234")
    add(ledger)
    owner = Worker(ledger, None).owner
    assert ledger.acquire("s-1", owner, 1.0).lease_owner == owner


def test_a_renewed_lease_does_not_end(ledger):
    add(ledger)
    held = ledger.acquire("s-1", "a", 0.05)
    assert ledger.acquire("s-1", "a", 60.0) is not None
    time.sleep(0.1)
    assert ledger.move(held, "a", State.POSTING).state is State.POSTING


@pytest.mark.parametrize("loss", ["ended", "taken", "taken and given back", "moved on"])
def test_after_its_loss_a_lease_writes_nothing(loss, ledger):
    held = brought_to(ledger, State.STORED)
    ledger.acquire("s-1", "a", 0.0 if loss != "moved on" else 60.0)
    time.sleep(0.01)
    if loss == "moved on":
        ledger.move(held, "a", State.COMPLETED)
    elif loss != "ended":
        assert ledger.acquire("s-1", "b", 60.0) is not None
        if loss == "taken and given back":
            ledger.release("s-1", "b")
    before = ledger.submission("s-1"), ledger.history("s-1"), ledger.find_rows([key(1)])
    for write in (
        lambda: ledger.move(held, "a", State.COMPLETED),
        lambda: ledger.move(held, "a", State.STORED, "the same state", not_before=1.0),
        lambda: ledger.answer(held, "a", answers([[0.5]])),
    ):
        with pytest.raises(LeaseLostError):
            write()
    assert (ledger.submission("s-1"), ledger.history("s-1"), ledger.find_rows([key(1)])) == before
    assert ledger.answers_of("s-1") == []


def test_the_older_of_two_readings_changes_nothing(ledger):
    add(ledger)
    held = ledger.acquire("s-1", "a", 60.0)
    ledger.move(held, "a", State.POSTING)
    with pytest.raises(LeaseLostError):
        ledger.move(held, "a", State.WITHDRAWN)
    assert ledger.submission("s-1").state is State.POSTING


# Rows and answers ----------------------------------------------------------------------------


def test_rows_are_claimed_all_or_none(ledger):
    add(ledger, "s-1", (1, 2))
    rows = [row(3), row(2, 1)]
    assert not ledger.intend(columns("s-2", rows=2), rows)
    assert set(ledger.find_rows([key(n) for n in (1, 2, 3)])) == {key(1), key(2)}
    assert [s.id for s in ledger.find()] == ["s-1"]
    assert ledger.history("s-2") == []


def test_an_answer_that_no_other_reader_could_parse_is_not_written(ledger):
    held = brought_to(ledger, State.STORED)
    (answer,) = answers([[0.5]])
    with pytest.raises(ValueError, match="JSON"):
        ledger.answer(held, "a", [replace(answer, metadata={"shots": math.nan})])
    assert ledger.submission("s-1").state is State.STORED
    assert ledger.find_rows([key(1)])[key(1)].evs is None


def test_a_submission_that_can_never_be_recorded_is_an_error_and_not_a_taken_row(ledger):
    add(ledger, "s-1", (1,))
    with pytest.raises(LedgerError):
        ledger.intend(columns("s-1"), [row(2)])
    assert ledger.find_rows([key(2)]) == {}


def test_an_answer_of_another_shape_leaves_nothing_half_written(ledger):
    held = brought_to(ledger, State.STORED, keys=(1, 2))
    with pytest.raises(IndexError):
        ledger.answer(held, "a", answers([[0.5]]))
    assert all(row.evs is None for row in ledger.rows_of("s-1"))
    assert ledger.submission("s-1").state is State.STORED
    assert ledger.answers_of("s-1") == []


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


# Several at once -----------------------------------------------------------------------------


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


def test_of_two_workers_one_wins_every_state(place, ledger):
    names = [f"s-{n}" for n in range(4)]
    for number, name in enumerate(names):
        add(ledger, name, (number,))
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(march, *place, f"worker {n}", names, 12) for n in range(4)]
        wins = [win for job in jobs for win in job.result()]
    assert max(Counter(wins).values()) == 1
    for name in names:
        assert ledger.submission(name).posts == sum(1 for won, _ in wins if won == name)
        assert len(ledger.history(name)) == 1 + ledger.submission(name).posts


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["take", "give", "wait"]))))
def test_leases_follow_their_model(tmp_path_factory, steps):
    """Two owners in any order, against the rule written down."""
    store = JobStore(tmp_path_factory.mktemp("lease"))
    clock = [1000.0]
    add(store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qvlm_qiskit.jobs.ledger.store.now_in", lambda _: clock[0])
        patch.setattr("qvlm_qiskit.basics.clocks.boot", lambda: ("boot", clock[0]))
        owner, until = None, 0.0
        for who, what in steps:
            if what == "wait":
                clock[0] += 6.0
            elif what == "give":
                store.release("s-1", who)
                owner = None if owner == who else owner
            else:
                free = owner in (None, who) or until < clock[0]
                assert (store.acquire("s-1", who, 10.0) is not None) == free
                if free:
                    owner, until = who, clock[0] + 10.0
    store.close()


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "ledger.sqlite").write_text("Dear diary,\n" * 100)
    with pytest.raises(LedgerError, match="not a database"):
        JobStore(tmp_path)
    assert (tmp_path / "ledger.sqlite").read_text().startswith("Dear diary")


def test_a_folder_without_a_ledger_is_only_taken_where_one_may_be_made(tmp_path):
    with pytest.raises(LedgerError, match="no ledger"):
        JobStore(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="can't use"):
        JobStore(tmp_path / "file")


def test_a_url_needs_a_folder_for_files(tmp_path):
    with pytest.raises(LedgerError, match="blobs="):
        JobStore("postgresql+psycopg://me:canary@127.0.0.1/ledger")
