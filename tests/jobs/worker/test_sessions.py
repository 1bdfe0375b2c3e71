"""Batches and sessions of a run: opened, found again, replaced and closed."""

import numpy as np
import pytest

from qvlm_qiskit.backends.service import RefusedError, UnreachableError
from qvlm_qiskit.errors import BudgetError, JobError
from qvlm_qiskit.jobs import Budget, State, Worker
from tests.jobs.conftest import PATIENCE
from tests.jobs.costs.charging import Bills
from tests.jobs.unreliable import Unreliable


@pytest.mark.parametrize("mode", ["batch", "session"])
def test_no_session_stays_open_for_another_runs_submission(mode, buy, store):
    service = Unreliable()
    with pytest.raises(BudgetError):
        buy(service, [1], run="r-B", budget=Budget(seconds=1.0))
    buy(service, [1], run="r-A", mode=mode)
    assert len(service.open_sessions) == 1
    Worker(store, service, policy=PATIENCE, mode=mode).close("r-A")
    assert service.open_sessions == set()


def test_a_worker_closes_all_that_it_opened_when_its_run_ends(buy, store):
    service = Unreliable(final="running")
    for run in ("r-1", "r-2"):
        with pytest.raises(BudgetError):
            buy(service, [int(run[-1])], run=run, budget=Budget(seconds=1.0))
    worker = Worker(store, service, policy=PATIENCE, mode="session")
    for submission in store.find():
        worker.advance(submission.id)
    assert len(service.open_sessions) == 2
    worker.close("r-1")
    assert service.open_sessions == set()


def test_a_session_is_opened_for_no_longer_than_the_budgets_rest(buy, store):
    service, opened = Bills(), []
    service.bill = 8.0

    def note(kind, max_seconds):
        opened.append((kind, max_seconds))
        return Unreliable.open_session(service, kind, max_seconds)

    service.open_session = note
    for number in range(2):
        buy(service, [number], run="r-1", mode="session", budget=Budget(seconds=30.0))
        service.open_sessions.clear()
    buy(service, [3], run="r-2", mode="session")
    buy(service, [4], run="r-3", mode="batch", budget=Budget(seconds=30.0))
    assert opened == [("session", 30), ("session", 22), ("session", None), ("batch", None)]


def test_a_run_has_one_batch_and_a_new_process_finds_it_again(store, buy):
    service = Unreliable()
    buy(service, [0.1], mode="batch", run="r-1")
    buy(service, [0.2], mode="batch", run="r-1")  # another worker, another cache
    buy(service, [0.3], mode="batch", run="r-2")
    sessions = [session for _, _, session in service.posts]
    assert sessions[0] == sessions[1] != sessions[2]
    assert len(service.open_sessions) == 2


def test_a_batch_that_was_closed_is_replaced(store, buy):
    service = Unreliable()
    buy(service, [0.1], mode="batch", run="r-1")
    service.open_sessions.clear()
    buy(service, [0.2], mode="batch", run="r-1")
    service.script = ["session closed"]
    buy(service, [0.3], mode="batch", run="r-1")
    sessions = [session for _, _, session in service.posts]
    assert len(sessions) == 4 and len(set(sessions)) == 3
    assert sessions[1] == sessions[2] != sessions[3]  # the third found its batch closed
    assert all(s.state is State.ANSWERED for s in store.find())


def test_a_run_that_ends_closes_its_own_batches_and_no_others(store, buy):
    service = Unreliable()
    buy(service, [0.1], mode="batch", run="r-1")
    buy(service, [0.2], mode="batch", run="r-2")
    service.open_sessions.discard(service.posts[0][2])
    buy(service, [0.3], mode="batch", run="r-1")
    worker = Worker(store, service, mode="batch")
    worker.close("r-1")
    assert service.open_sessions == {service.posts[1][2]}
    worker.close("r-1")  # nothing is left to do


def test_what_was_opened_without_a_run_is_closed(store, intended):
    service = Unreliable()
    worker = Worker(store, service, policy=PATIENCE, mode="batch")
    worker.finish([intended(service).id])
    assert len(service.open_sessions) == 1
    worker.close()
    assert service.open_sessions == set()


def test_a_batch_that_could_not_be_closed_is_noted(store, buy):
    service = Unreliable()
    buy(service, [0.1], mode="batch", run="r-1")

    def gone(session):
        raise UnreachableError("no answer in 5 s")

    service.close_session = gone
    Worker(store, service, mode="batch").close("r-1")
    (submission,) = store.find()
    assert store.history(submission.id)[-1].note.endswith("not closed: no answer in 5 s")


def test_a_plan_without_sessions_is_said_and_not_waited_for(store, buy):
    service = Unreliable()

    def none(kind, max_seconds):
        raise RefusedError("the open plan has no sessions")

    service.open_session = none
    with pytest.raises(JobError, match="can't be sent in a session: the open plan"):
        buy(service, [0.1], mode="session")
    (submission,) = store.find()
    assert submission.state is State.INTENDED and service.posts == []
    np.testing.assert_allclose(buy(service, [0.1]), np.cos([0.1]))
