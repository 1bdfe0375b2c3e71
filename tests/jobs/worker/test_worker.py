"""One worker's patience: pauses, deadlines, leases, batches; and what it refuses to send."""

import itertools
import threading
import time

import numpy as np
import pytest

from qvlm_qiskit.backends.service import RefusedError, ServerJob, UnreachableError
from qvlm_qiskit.errors import BudgetError, InputError, JobError, JobPending
from qvlm_qiskit.jobs import Budget, JobStore, Policy, State, Worker
from qvlm_qiskit.jobs.ledger import schema
from qvlm_qiskit.jobs.worker.reconcile import certain_at
from tests.jobs.conftest import PATIENCE
from tests.jobs.unreliable import Unreliable


class Queued(Unreliable):
    """A server whose jobs wait until they have been asked about so many times."""

    def __init__(self, polls, **options):
        super().__init__(**options)
        self.polls = polls

    def status(self, server_id):
        self.polls -= 1
        if self.polls >= 0:
            return ServerJob(server_id, "queued")
        return super().status(server_id)


@pytest.fixture
def intended(buy, store):
    """A submission that is recorded and not sent, for a service."""

    def make(service, value=0.1, **options):
        class Unwilling(type(service)):
            def submit(self, *args, **kwargs):
                raise KeyboardInterrupt

        stopped = Unwilling.__new__(Unwilling)
        stopped.__dict__ = dict(service.__dict__)
        known = {s.id for s in store.find()}
        with pytest.raises(KeyboardInterrupt):
            buy(stopped, [value], **options)
        (made,) = [s for s in store.find() if s.id not in known]
        worker = Worker(store, service, policy=PATIENCE)
        assert worker.advance(made.id).state is State.UNKNOWN
        while worker.advance(made.id).state is State.UNKNOWN:
            time.sleep(0.02)
        return store.submission(made.id)

    return make


def pauses(store, service, submission, policy, **options):
    """The pauses of a worker that brings a submission to its end."""
    seen = []
    Worker(store, service, policy=policy, sleep=seen.append).finish([submission.id], **options)
    return seen


def test_pauses_grow_to_their_bound_and_begin_anew_after_every_step(store, intended):
    service = Queued(12)
    policy = Policy(poll_seconds=1.0, longest_poll_seconds=5.0)
    seen = pauses(store, service, intended(service), policy)
    assert seen == [1.0, 1.5, 2.25, 3.375, *[5.0] * 8]
    assert store.find()[0].state is State.ANSWERED


def test_a_request_that_was_not_accepted_waits_twice_as_long_each_time():
    policy = Policy(first_retry_seconds=2.0, longest_retry_seconds=30.0)
    waits = [policy.retry_seconds(tries) for tries in range(1, 8)]
    assert waits == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_nothing_is_sent_before_it_is_due(store, intended):
    service = Unreliable(script=["connection refused"])
    worker = Worker(store, service, policy=Policy(first_retry_seconds=60.0))
    made = worker.advance(intended(service).id)
    assert made.state is State.INTENDED
    assert 60 <= made.not_before - store.now() <= 240
    for _ in range(3):
        assert worker.advance(made.id).state is State.INTENDED
    assert len(service.posts) == 1


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_patience_is_positive(value):
    for name in vars(Policy()):
        with pytest.raises(InputError, match=name):
            Policy(**{name: value})


def test_a_deadline_is_kept_and_the_next_call_goes_on(store, intended):
    service = Queued(10**9)
    made = intended(service)
    worker = Worker(store, service, policy=PATIENCE)
    begun = time.monotonic()
    (found,) = worker.finish([made.id], seconds=0.3)
    assert 0.2 < time.monotonic() - begun < 3.0
    assert found.state is State.QUEUED
    assert store.submission(made.id).lease_owner is None
    service.polls = 0
    (found,) = worker.finish([made.id])
    assert found.state is State.ANSWERED and len(service.posts) == 1


def test_unanswered_questions_change_nothing_and_are_noted(store, intended):
    service = Queued(0)
    made = intended(service)
    worker = Worker(store, service, policy=PATIENCE)
    assert worker.advance(made.id).state is State.QUEUED
    before = store.submission(made.id)

    def silent(server_id):
        raise UnreachableError("504")

    service.status = silent
    (found,) = worker.finish([made.id], seconds=0.1)
    assert found == before
    notes = [event.note for event in store.history(made.id)]
    assert notes[-1] == "no answer: 504"
    assert notes.count("no answer: 504") == 1  # a service can be away for days


# Leases --------------------------------------------------------------------------------------


def test_a_long_step_keeps_its_lease_and_no_other_worker_cuts_in(store, intended):
    service = Unreliable()
    made = intended(service)
    entered, leave = threading.Event(), threading.Event()
    send = service.submit

    def slow(*args, **kwargs):
        entered.set()
        assert leave.wait(20)
        return send(*args, **kwargs)

    service.submit = slow
    short = Policy(lease_seconds=0.6, start_seconds=0.5)
    thread = threading.Thread(
        target=Worker(store, service, policy=short, owner="a").advance, args=[made.id]
    )
    thread.start()
    assert entered.wait(20)
    other = Worker(store, service, policy=short, owner="b")
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        assert other.advance(made.id).state is State.POSTING
        time.sleep(0.05)
    leave.set()
    thread.join()
    assert store.submission(made.id).state is State.QUEUED
    assert {event.owner for event in store.history(made.id)[-2:]} == {"a"}


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


def test_a_search_counts_from_the_last_moment_at_which_a_request_can_leave(store, intended):
    service = Unreliable(visible_after_seconds=7.0, post_seconds=20.0, script=["500 before accept"])
    made = intended(Unreliable())
    patient = Policy(start_seconds=3.0)
    worker = Worker(store, service, policy=patient)
    found = worker.advance(made.id)
    assert found.state is State.UNKNOWN
    assert certain_at(worker, found) == pytest.approx(found.posted_at + 3.0 + 20.0 + 7.0)
    assert worker.advance(made.id).state is State.UNKNOWN


# Pacing --------------------------------------------------------------------------------------


def test_a_paced_submission_is_not_sent_and_says_until_when(store, intended):
    service = Unreliable(posts_per_minute=1)
    one, two = intended(Unreliable(), 0.1), intended(Unreliable(), 0.2)
    worker = Worker(store, service, policy=PATIENCE)
    assert worker.advance(one.id).state is State.QUEUED
    waiting = worker.advance(two.id)
    assert waiting.state is State.INTENDED
    assert waiting.not_before == pytest.approx(store.now() + 60.0, abs=5.0)
    assert store.history(two.id)[-1].note.startswith("paced")
    assert len(service.posts) == 1


# Batches and sessions ------------------------------------------------------------------------


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


# Budgets -------------------------------------------------------------------------------------


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
        worker = Worker(own, service, Budget(executions=cost), policy=PATIENCE)
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


def test_detached_a_finished_job_is_taken_along_at_the_next_call(store, buy):
    service = Queued(1)
    with pytest.raises(JobPending):
        buy(service, [0.1], detach=True)
    assert store.find()[0].state is State.QUEUED
    np.testing.assert_allclose(buy(service, [0.1], detach=True), np.cos([0.1]))
    states = store.find(schema.submissions.c.state == "answered")
    assert len(states) == len(service.posts) == 1
