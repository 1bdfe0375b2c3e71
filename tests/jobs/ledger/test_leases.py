"""What the holder of a lease may do, and when it ends, whatever anybody does to a clock."""

import math
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qvlm_qiskit.jobs import JobStore, State, Worker
from qvlm_qiskit.jobs.ledger.leases import LeaseLostError
from tests.jobs.conftest import sqlite_or_postgresql
from tests.jobs.ledger.hammer import key, march
from tests.jobs.ledger.submissions import add, answers, brought_to
from tests.jobs.unreliable import Clock

HOUR = 3600.0


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    return sqlite_or_postgresql(request, tmp_path)


@pytest.fixture
def clocks(monkeypatch):
    """The store's clock, and the computer's time since boot."""
    made = Clock()
    made.boot = "boot"
    monkeypatch.setattr("qvlm_qiskit.jobs.ledger.history.now_in", lambda _: made.time())
    monkeypatch.setattr(
        "qvlm_qiskit.basics.computer.clocks.boot", lambda: (made.boot, made.running)
    )
    return made


def held(store):
    name = add(store).id
    assert store.acquire(name, "dead", 60.0)
    return name


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


def test_an_answer_that_no_other_reader_could_parse_is_not_written(ledger):
    held = brought_to(ledger, State.STORED)
    (answer,) = answers([[0.5]])
    with pytest.raises(ValueError, match="JSON"):
        ledger.answer(held, "a", [replace(answer, metadata={"shots": math.nan})])
    assert ledger.submission("s-1").state is State.STORED
    assert ledger.find_rows([key(1)])[key(1)].evs is None


def test_an_answer_of_another_shape_leaves_nothing_half_written(ledger):
    held = brought_to(ledger, State.STORED, keys=(1, 2))
    with pytest.raises(IndexError):
        ledger.answer(held, "a", answers([[0.5]]))
    assert all(row.evs is None for row in ledger.rows_of("s-1"))
    assert ledger.submission("s-1").state is State.STORED
    assert ledger.answers_of("s-1") == []


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
        patch.setattr("qvlm_qiskit.jobs.ledger.history.now_in", lambda _: clock[0])
        patch.setattr("qvlm_qiskit.basics.computer.clocks.boot", lambda: ("boot", clock[0]))
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


# Clocks that are set ---------------------------------------------------------------------------


def test_a_clock_that_is_set_back_keeps_no_lease_alive(store, clocks):
    name = held(store)
    clocks.now -= 5 * HOUR
    assert store.acquire(name, "next", 60.0) is None
    clocks.sleep(61)
    assert store.acquire(name, "next", 60.0) is not None


def test_a_clock_that_is_set_back_before_a_new_start_or_seen_from_elsewhere(store, clocks):
    """There only the store's clock is left, and no lease lasts longer than it was taken for."""
    name = held(store)
    clocks.now -= 5 * HOUR
    clocks.boot, clocks.running = "another", 0.0
    assert store.acquire(name, "next", 60.0) is None
    clocks.sleep(59)
    assert store.acquire(name, "next", 60.0) is None
    clocks.sleep(2)
    assert store.acquire(name, "next", 60.0) is not None


def test_a_clock_that_is_set_forward_ends_no_lease(store, clocks):
    name = add(store).id
    taken = store.acquire(name, "alive", 60.0)
    clocks.now += 5 * HOUR
    assert store.acquire(name, "next", 60.0) is None
    assert store.move(taken, "alive", State.POSTING).state is State.POSTING


def test_a_lease_that_has_ended_by_both_clocks_is_lost(store, clocks):
    name = add(store).id
    taken = store.acquire(name, "slow", 60.0)
    clocks.sleep(61)
    with pytest.raises(LeaseLostError):
        store.move(taken, "slow", State.POSTING)


def test_without_a_boot_clock_the_stores_decides(store, clocks):
    clocks.boot = None
    name = held(store)
    clocks.sleep(59)
    assert store.acquire(name, "next", 60.0) is None
    clocks.sleep(2)
    assert store.acquire(name, "next", 60.0) is not None
