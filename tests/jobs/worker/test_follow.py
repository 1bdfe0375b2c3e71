"""From an accepted job to stored answers, where results are damaged or forgotten."""

import time

import numpy as np
import pytest

from qvlm_qiskit.backends.service import NoSuchJobError, UnreachableError
from qvlm_qiskit.errors import JobFailedError, JobPending, LedgerError
from qvlm_qiskit.jobs import State, Worker
from qvlm_qiskit.jobs.ledger.runs import retry
from qvlm_qiskit.jobs.verify import verify
from qvlm_qiskit.jobs.worker.follow import GONE
from tests.jobs.conftest import PATIENCE
from tests.jobs.stored import blob, stored
from tests.jobs.unreliable import Unreliable


@pytest.mark.parametrize("damage", [b"", b"other bytes", None])
def test_a_result_that_is_damaged_before_it_was_read_is_fetched_again(damage, buy, store):
    service = Unreliable()
    submission = stored(buy, store, service)
    path = blob(store, submission.raw)
    path.unlink() if damage is None else path.write_bytes(damage)
    np.testing.assert_allclose(buy(service, [0.1]), np.cos([0.1]))
    (done,) = store.find()
    assert (done.state, done.fetches, len(service.posts)) == (State.ANSWERED, 2, 1)
    assert verify(store) == 1


def test_a_damaged_package_is_said_and_nothing_is_fetched_for_it(buy, store):
    service = Unreliable()
    submission = stored(buy, store, service)
    blob(store, submission.package).write_bytes(b"other bytes")
    for _ in range(2):
        with pytest.raises(LedgerError, match="asked can't be read"):
            buy(service, [0.1])
    (found,) = store.find()
    assert (found.state, found.fetches) == (State.STORED, submission.fetches)


def forget(service, submission):
    """The server deletes the job, and lists it no more."""
    jobs = service.server.accepted
    jobs[:] = [job for job in jobs if job["id"] != submission.server_id]


def running(buy, store, service, numbers):
    """A job for each number, accepted and not finished."""
    for number in numbers:
        with pytest.raises(JobPending):
            buy(service, [number], detach=True)
    return sorted(store.find(), key=lambda s: s.id)


def test_a_job_that_the_server_forgot_has_failed_and_may_be_retried(buy, store):
    service = Unreliable(final="running")
    first, *others = running(buy, store, service, range(4))
    forget(service, first)
    service.final = "completed"
    worker = Worker(store, service, policy=PATIENCE)
    found = worker.finish([s.id for s in (first, *others)])
    assert [s.state for s in found] == [State.FAILED, *[State.ANSWERED] * 3]
    assert found[0].reason == GONE
    for _ in range(2):
        with pytest.raises(JobFailedError, match=GONE):
            buy(service, range(4))
    assert len(service.posts) == 4
    again = retry(store, found[0])
    np.testing.assert_allclose(buy(service, range(4)), np.cos(range(4)))
    assert (len(service.posts), store.submission(again.id).state) == (5, State.ANSWERED)


def test_a_result_that_the_server_forgot_has_failed(buy, store):
    service = Unreliable(final="running")
    (submission,) = running(buy, store, service, [1])
    service.final = "completed"
    worker = Worker(store, service, policy=PATIENCE)
    while worker.advance(submission.id).state is not State.COMPLETED:
        pass
    forget(service, submission)
    (found,) = worker.finish([submission.id])
    assert (found.state, len(service.posts)) == (State.FAILED, 1)


def test_within_the_grace_period_or_without_a_complete_search_nothing_is_concluded(buy, store):
    service = Unreliable(final="running")
    (submission,) = running(buy, store, service, [1])
    forget(service, submission)
    service.visible_after_seconds = 1e9
    worker = Worker(store, service, policy=PATIENCE)
    for _ in range(2):
        with pytest.raises(UnreachableError, match="asked for again"):
            worker.advance(submission.id)
    service.visible_after_seconds = 0.0
    time.sleep(2 * PATIENCE.start_seconds)

    def silent(tag):
        raise UnreachableError("half a list")

    service.find = silent
    with pytest.raises(UnreachableError, match="half a list"):
        worker.advance(submission.id)
    (found,) = worker.finish([submission.id], seconds=0.05)
    assert found.state is submission.state and len(service.posts) == 1
    del service.find
    (found,) = worker.finish([submission.id])
    assert found.state is State.FAILED


def test_a_job_that_is_listed_is_not_given_up(buy, store):
    service = Unreliable(final="running")
    (submission,) = running(buy, store, service, [1])

    def unknown(server_id):
        raise NoSuchJobError("404")

    status, service.status = service.status, unknown
    with pytest.raises(NoSuchJobError):
        Worker(store, service, policy=PATIENCE).finish([submission.id])
    service.status, service.final = status, "completed"
    np.testing.assert_allclose(buy(service, [1]), np.cos([1]))
