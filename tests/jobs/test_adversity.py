"""A promise across `jobs`: clocks that are set back, absurd pauses, forks, restarted databases.

Tests no single module.
"""

import os

import pytest
from sqlalchemy import create_engine, text

from qvlm_qiskit.backends.service import NotAcceptedError
from qvlm_qiskit.jobs import JobStore, State, Worker
from tests.jobs.conftest import HOURS, PATIENCE
from tests.jobs.unreliable import Clock, Unreliable

HOUR = 3600.0


def test_a_clock_that_is_set_back_does_not_stop_the_requests(clock, buy, store):
    service = Unreliable(posts_per_minute=5, clock=clock)
    for number in range(5):
        buy(service, [number], policy=HOURS)
    clock.now -= HOUR
    before = clock.now
    buy(service, [20], policy=HOURS)
    assert clock.now - before < 5


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
