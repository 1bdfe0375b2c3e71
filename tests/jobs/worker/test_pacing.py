"""How many requests a service gets in a minute."""

import numpy as np
import pytest

from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.worker.pacing import WINDOW_SECONDS, take_turn
from tests.jobs.unreliable import Unreliable


def test_two_workers_share_the_services_rate(tmp_path, monkeypatch):
    """Whatever the order of the calls, no window of a minute has more requests than allowed."""
    clock = [1e9]
    monkeypatch.setattr("qvlm_qiskit.jobs.ledger.history.time.time", lambda: clock[0])
    service = Unreliable(posts_per_minute=5)
    stores = [JobStore(tmp_path), JobStore(tmp_path)]
    taken, random = [], np.random.default_rng(1)
    for number in range(300):
        wait = take_turn(stores[random.integers(2)], service, f"s-{number}")
        if wait == 0:
            taken.append(clock[0])
        else:
            assert 0 < wait <= 60
        clock[0] += float(random.exponential(4.0)) if wait == 0 else wait * random.uniform(0.2, 1.1)
    assert len(taken) > 50
    for first, sixth in zip(taken, taken[5:], strict=False):
        assert sixth - first >= 60.0
    other = Unreliable(posts_per_minute=5)
    other.machine = "another"
    assert take_turn(stores[0], other, "s") == 0
    for store in stores:
        store.close()


def test_a_clock_that_is_set_back_a_little_lets_no_more_requests_through(clock, store):
    service = Unreliable(posts_per_minute=5)
    for number in range(5):
        assert take_turn(store, service, f"s-{number}") == 0
    clock.now -= 30.0
    assert 0 < take_turn(store, service, "s") <= WINDOW_SECONDS


def test_the_pause_lasts_until_the_oldest_request_is_a_minute_old(clock, store):
    service = Unreliable(posts_per_minute=3)
    for number in range(3):
        assert take_turn(store, service, f"s-{number}") == 0
        clock.sleep(7.0)
    assert take_turn(store, service, "s") == WINDOW_SECONDS - 21.0
    clock.sleep(WINDOW_SECONDS - 21.0 - 1e-3)
    assert take_turn(store, service, "s") == 0.1  # no busy waiting for the rest
    clock.sleep(0.1)
    assert take_turn(store, service, "s") == 0
    # Now the second one is the oldest.
    assert take_turn(store, service, "t") == pytest.approx(7.0 - 0.099)
