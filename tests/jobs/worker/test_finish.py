"""One submission that can't be gone on with, and the paid ones beside it."""

import time

import numpy as np
import pytest

from qvlm_qiskit.backends.preflight.limits import JobLimits
from qvlm_qiskit.backends.service import NoSuchJobError, UnreachableError
from qvlm_qiskit.errors import BudgetError, JobFailedError, JobPending, LedgerError
from qvlm_qiskit.jobs import Budget, State, Worker
from qvlm_qiskit.jobs.ledger.runs import retry
from qvlm_qiskit.jobs.worker.follow import GONE
from tests.jobs.conftest import PATIENCE
from tests.jobs.unreliable import Unreliable


@pytest.fixture
def over_budget_first(buy, store, monkeypatch):
    """A job that runs, and one over the budget whose id sorts before it."""
    names = iter(["s-zzz", "s-aaa"])
    monkeypatch.setattr("qvlm_qiskit.jobs.purchase.new_id", lambda prefix: next(names))
    service = Unreliable(final="running")
    with pytest.raises(JobPending):
        buy(service, [1, 2], run="r-1", budget=Budget(executions=250), detach=True)
    service.final = "completed"
    return service


@pytest.mark.parametrize("detach", [False, True])
def test_a_job_over_the_budget_does_not_keep_a_paid_one_from_its_answers(
    detach, over_budget_first, buy, store
):
    with pytest.raises(BudgetError, match="budget of 250"):
        buy(over_budget_first, [1, 2, 100], run="r-1", budget=Budget(executions=250), detach=detach)
    states = {s.id: s.state for s in store.find()}
    assert states == {"s-zzz": State.ANSWERED, "s-aaa": State.INTENDED}
    assert len(over_budget_first.posts) == 1


def test_all_errors_are_told(buy, store, monkeypatch):
    monkeypatch.setattr(Unreliable, "limits", JobLimits(executions=100))
    with pytest.raises(BudgetError) as raised:
        buy(Unreliable(), range(3), run="r-1", budget=Budget(executions=50))
    told = [str(raised.value), *raised.value.__notes__]
    for submission in store.find():
        assert sum(submission.id in line for line in told) == 1


def test_what_can_be_answered_is_waited_for_before_an_error_is_raised(buy, store):
    """The damaged one fails in its first steps, the others take many rounds."""
    service = Unreliable()
    service.polls = 0
    for number in range(3):
        service.final = "running"
        with pytest.raises(JobPending):
            buy(service, [number], detach=True)
    damaged = sorted(s.id for s in store.find())[0]
    path = store.blobs._path(store.submission(damaged).package)
    path.write_bytes(b"damaged")
    status = service.status

    def slow(server_id):
        service.polls += 1
        service.final = "completed" if service.polls > 20 else "running"
        if server_id == store.submission(damaged).server_id:
            service.final = "completed"
        return status(server_id)

    service.status = slow
    names = [s.id for s in store.find()]
    with pytest.raises(LedgerError, match="can't be read"):
        Worker(store, service, policy=PATIENCE).finish(names)
    states = {s.id: s.state for s in store.find()}
    assert states.pop(damaged) is State.STORED
    assert set(states.values()) == {State.ANSWERED}
    assert service.polls > 20


def test_an_error_at_the_deadline_is_raised_though_others_still_run(buy, store):
    service = Unreliable(final="running")
    with pytest.raises(JobPending):
        buy(service, [1], detach=True)
    with pytest.raises(BudgetError):
        buy(service, [2], run="r-1", budget=Budget(executions=1))
    worker = Worker(store, service, Budget(executions=1), PATIENCE)
    with pytest.raises(BudgetError):
        worker.finish([s.id for s in store.find()], seconds=0.1)
    service.final = "completed"
    np.testing.assert_allclose(buy(service, [1]), np.cos([1]))


# Jobs that the server forgot ------------------------------------------------------------------


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
