"""Clocks that are set back, absurd pauses, forks, and a database that is restarted."""

import os

import pytest
from sqlalchemy import create_engine, text

from qvlm_qiskit.backends.service import NotAcceptedError
from qvlm_qiskit.jobs import JobStore, Policy, State, Worker
from qvlm_qiskit.jobs.worker.pacing import WINDOW_SECONDS, take_turn
from tests.jobs.conftest import HOURS, PATIENCE
from tests.jobs.unreliable import Clock, Unreliable

HOUR = 3600.0


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr("qvlm_qiskit.jobs.worker.submit.now_in", lambda _: made.time())
    return made


def test_a_clock_that_is_set_back_does_not_stop_the_requests(clock, buy, store):
    service = Unreliable(posts_per_minute=5, clock=clock)
    for number in range(5):
        buy(service, [number], policy=HOURS)
    clock.now -= HOUR
    before = clock.now
    buy(service, [20], policy=HOURS)
    assert clock.now - before < 5


def test_a_clock_that_is_set_back_a_little_lets_no_more_requests_through(clock, store):
    service = Unreliable(posts_per_minute=5)
    for number in range(5):
        assert take_turn(store, service, f"s-{number}") == 0
    clock.now -= 30.0
    assert 0 < take_turn(store, service, "s") <= WINDOW_SECONDS


def test_a_time_that_was_planned_before_the_clock_was_set_back_is_ignored():
    policy = Policy()
    assert policy.wait_seconds(10.0, 4.0) == 6.0
    assert policy.wait_seconds(4.0, 10.0) == policy.wait_seconds(10.0 + HOUR, 4.0) == 0.0
    assert Policy(longest_retry_seconds=3 * HOUR).wait_seconds(2 * HOUR, 0.0) == 2 * HOUR


def test_a_servers_pause_is_bounded(buy, store):
    class AbsurdError(Exception):
        pass

    class Absurd(Unreliable):
        def submit(self, *args, **kwargs):
            raise NotAcceptedError("429", 1e9)

    def stop(seconds):
        raise AbsurdError

    service = Absurd(clock=Clock())
    service.clock.sleep = stop
    with pytest.raises(AbsurdError):
        buy(service, [1], policy=HOURS)
    (submission,) = store.find()
    assert submission.state is State.INTENDED
    assert submission.not_before == service.clock.now + HOUR


def test_after_a_fork_a_worker_has_another_name(buy, store):
    """Of two processes of one name each would take the other's submissions for its own."""
    buy(Unreliable(), [7])
    worker = Worker(store, Unreliable(), policy=PATIENCE)
    name, answered = worker.owner, store.find()[0].id
    worker.advance(answered)
    assert worker.owner == name
    store.close()
    process = os.fork()
    if process == 0:
        code = 1
        try:
            worker.advance(answered)
            code = 0 if worker.owner != name and str(os.getpid()) in worker.owner else 2
        finally:
            os._exit(code)
    assert os.waitpid(process, 0)[1] == 0
    worker.advance(answered)
    assert worker.owner == name


@pytest.mark.slow
def test_a_database_that_was_restarted_is_used_again(postgresql_url, tmp_path):
    store = JobStore(postgresql_url, tmp_path / "blobs")
    assert store.count_jobs() == 0
    outside = create_engine(postgresql_url)
    with outside.begin() as connection:
        ended = connection.execute(
            text(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where pid <> pg_backend_pid() and backend_type = 'client backend'"
            )
        ).all()
    outside.dispose()
    assert len(ended) == 1
    assert store.count_jobs() == 0
    store.close()
