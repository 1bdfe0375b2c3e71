"""One worker: its pauses, deadlines and leases."""

import threading
import time

import numpy as np
import pytest

from qvlm_qiskit.backends.service import ServerJob, UnreachableError
from qvlm_qiskit.errors import JobPending
from qvlm_qiskit.jobs import Policy, State, Worker
from qvlm_qiskit.jobs.ledger import schema
from tests.jobs.conftest import UNHURRIED
from tests.jobs.unreliable import Clock, Unreliable


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


def test_a_deadline_is_kept_and_the_next_call_goes_on(store, intended):
    service = Queued(10**9)
    made = intended(service)
    worker = Worker(store, service, policy=UNHURRIED)
    begun = time.monotonic()
    (found,) = worker.finish([made.id], seconds=1.0)
    assert 0.9 < time.monotonic() - begun < 30.0  # by polls alone it would take years
    assert found.state is State.QUEUED
    assert store.submission(made.id).lease_owner is None
    service.polls = 0
    (found,) = worker.finish([made.id])
    assert found.state is State.ANSWERED and len(service.posts) == 1


def test_unanswered_questions_change_nothing_and_are_noted(store, intended):
    service = Queued(0)
    made = intended(service)
    worker = Worker(store, service, policy=UNHURRIED)
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


def renewed(store, name, until):
    """When a lease ends that was renewed after the one that ended then."""
    deadline = time.monotonic() + 60
    while store.submission(name).lease_until <= until:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return store.submission(name).lease_until


def test_a_long_step_keeps_its_lease_and_no_other_worker_cuts_in(store, intended, monkeypatch):
    """Time passes here only while somebody looks, so that no pause of the machine ends a lease."""
    service, clock = Unreliable(), Clock()
    made, clock.now = intended(service), time.time()
    monkeypatch.setattr(store, "now", clock.time)
    monkeypatch.setattr("qvlm_qiskit.jobs.ledger.history.now_in", lambda _: clock.time())
    monkeypatch.setattr("qvlm_qiskit.basics.computer.clocks.boot", lambda: ("boot", clock.running))
    entered, leave = threading.Event(), threading.Event()
    send = service.submit

    def slow(*args, **kwargs):
        entered.set()
        assert leave.wait(60)
        return send(*args, **kwargs)

    service.submit = slow
    short = Policy(lease_seconds=0.6, start_seconds=0.5)
    thread = threading.Thread(
        target=Worker(store, service, policy=short, owner="a").advance, args=[made.id]
    )
    thread.start()
    assert entered.wait(60)
    other = Worker(store, service, policy=short, owner="b")
    until = store.submission(made.id).lease_until
    for _ in range(3):
        clock.sleep(0.5)
        assert other.advance(made.id).state is State.POSTING
        until = renewed(store, made.id, until)
    leave.set()
    thread.join()
    assert store.submission(made.id).state is State.QUEUED
    assert {event.owner for event in store.history(made.id)[-2:]} == {"a"}


def test_detached_a_finished_job_is_taken_along_at_the_next_call(store, buy):
    service = Queued(1)
    with pytest.raises(JobPending):
        buy(service, [0.1], detach=True)
    assert store.find()[0].state is State.QUEUED
    np.testing.assert_allclose(buy(service, [0.1], detach=True), np.cos([0.1]))
    states = store.find(schema.submissions.c.state == "answered")
    assert len(states) == len(service.posts) == 1
