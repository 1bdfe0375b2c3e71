"""What is sent, when, and at which price."""

import itertools
import threading
import time

import pytest

from qvlm_qiskit.errors import BudgetError, JobError, LedgerError
from qvlm_qiskit.jobs import Budget, JobStore, Policy, State, Worker
from tests.jobs.conftest import PATIENCE, UNHURRIED
from tests.jobs.stored import blob
from tests.jobs.unreliable import Unreliable


def test_a_package_that_is_damaged_before_it_was_sent_is_not_sent(buy, store):
    service = Unreliable()
    with pytest.raises(BudgetError):
        buy(service, [0.1], budget=Budget(executions=1))
    blob(store, store.find()[0].package).write_bytes(b"other bytes")
    with pytest.raises(LedgerError, match="damaged"):
        buy(service, [0.1])
    assert service.posts == [] and store.find()[0].state is State.INTENDED


def test_nothing_is_sent_before_it_is_due(store, intended):
    service = Unreliable(script=["connection refused"])
    worker = Worker(store, service, policy=Policy(first_retry_seconds=60.0))
    made = worker.advance(intended(service).id)
    assert made.state is State.INTENDED
    assert 60 <= made.not_before - store.now() <= 240
    for _ in range(3):
        assert worker.advance(made.id).state is State.INTENDED
    assert len(service.posts) == 1


@pytest.mark.parametrize(
    ("of", "other"), [("machine", "another"), ("decoder", "runtime-executor-1")]
)
def test_what_was_recorded_for_another_machine_or_form_is_not_sent(store, intended, of, other):
    made = intended(Unreliable())
    service = Unreliable()
    setattr(service, of, other)
    with pytest.raises(JobError, match=f"{made.id} is for unreliable, .* not sent to .*{other}"):
        Worker(store, service, policy=PATIENCE).advance(made.id)
    assert service.posts == [] and store.submission(made.id).state is State.INTENDED


def test_a_request_that_could_not_leave_in_time_does_not_leave(store, intended, monkeypatch):
    """Between the mark and the request the process stood still: a search may count already."""
    service = Unreliable()
    made = intended(service)
    worker = Worker(store, service, policy=PATIENCE)
    move, stopped = JobStore.move, []

    def and_stop(self, held, owner, state, *args, **changes):
        moved = move(self, held, owner, state, *args, **changes)
        if state is State.POSTING and not stopped:
            stopped.append(moved)
            time.sleep(2 * PATIENCE.start_seconds)
        return moved

    monkeypatch.setattr(JobStore, "move", and_stop)
    found = worker.advance(made.id)
    assert (found.state, found.posts) == (State.INTENDED, made.posts)
    assert service.posts == []
    assert "not sent" in store.history(made.id)[-1].note
    (found,) = worker.finish([made.id])
    assert found.state is State.ANSWERED and len(service.posts) == 1


def test_a_paced_submission_is_not_sent_and_says_until_when(store, intended):
    service = Unreliable(posts_per_minute=1)
    one, two = intended(Unreliable(), 0.1), intended(Unreliable(), 0.2)
    worker = Worker(store, service, policy=UNHURRIED)
    assert worker.advance(one.id).state is State.QUEUED
    waiting = worker.advance(two.id)
    assert waiting.state is State.INTENDED
    assert waiting.not_before == pytest.approx(store.now() + 60.0, abs=30.0)
    assert store.history(two.id)[-1].note.startswith("paced")
    assert len(service.posts) == 1


def test_two_workers_do_not_spend_one_budget_twice(tmp_path, store, intended):
    """Both have passed the first check when both mark their submissions as being sent."""
    made = [intended(Unreliable(), value, run="r-1") for value in (0.1, 0.2)]
    cost = made[0].executions
    assert cost
    barrier, refused = threading.Barrier(2), []
    services = [Unreliable(), Unreliable()]

    def work(submission, service):
        own = JobStore(tmp_path / "jobs")
        service.allowance = lambda: (barrier.wait() and None) or service.left
        worker = Worker(own, service, Budget(executions=cost), policy=UNHURRIED)
        try:
            worker.advance(submission.id)
        except BudgetError as ex:
            refused.append(str(ex))
        own.close()

    threads = [
        threading.Thread(target=work, args=pair) for pair in zip(made, services, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    posts = len(list(itertools.chain(*(service.posts for service in services))))
    assert posts <= 1 and len(refused) == 2 - posts
    assert all(s.state in (State.INTENDED, State.QUEUED) for s in store.find())


def test_the_maximum_time_is_that_of_the_budget_with_which_a_job_is_sent(store, buy):
    service = Unreliable()
    with pytest.raises(BudgetError):
        buy(service, [float(n) for n in range(50)], budget=Budget(seconds=1.0), run="r-1")
    assert store.find()[0].max_seconds == 1
    buy(service, [float(n) for n in range(50)], budget=Budget(seconds=500.0), run="r-1")
    ((_, max_seconds, _),) = service.posts
    assert max_seconds == store.find()[0].max_seconds >= 30
