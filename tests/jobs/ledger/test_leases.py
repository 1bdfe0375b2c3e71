"""When a lease ends, whatever anybody does to a clock."""

import pytest

from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.jobs.ledger.store import LeaseLostError
from tests.jobs.conftest import sqlite_or_postgresql
from tests.jobs.ledger.submissions import add
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
    monkeypatch.setattr("qvlm_qiskit.jobs.ledger.store.now_in", lambda _: made.time())
    monkeypatch.setattr("qvlm_qiskit.basics.clocks.boot", lambda: (made.boot, made.running))
    return made


def held(store):
    name = add(store).id
    assert store.acquire(name, "dead", 60.0)
    return name


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
