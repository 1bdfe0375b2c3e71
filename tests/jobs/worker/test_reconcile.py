"""When a search that finds no job proves that there is none."""

import pytest

from qvlm_qiskit.backends.service import AnotherAccountError
from qvlm_qiskit.errors import BudgetError, LedgerError
from qvlm_qiskit.jobs import Budget, Policy, State, Worker
from qvlm_qiskit.jobs.worker.reconcile import certain_at, check_account
from tests.jobs.unreliable import Unreliable


def test_a_search_counts_from_the_last_moment_at_which_a_request_can_leave(store, intended):
    service = Unreliable(visible_after_seconds=7.0, post_seconds=20.0, script=["500 before accept"])
    made = intended(Unreliable())
    patient = Policy(start_seconds=3.0)
    worker = Worker(store, service, policy=patient)
    found = worker.advance(made.id)
    assert found.state is State.UNKNOWN
    assert certain_at(worker, found) == pytest.approx(found.posted_at + 3.0 + 20.0 + 7.0)
    assert worker.advance(made.id).state is State.UNKNOWN


@pytest.mark.parametrize(("senders", "searchers"), [(3.0, 40.0), (40.0, 3.0)])
def test_of_the_senders_and_the_searchers_patience_the_longer_counts(
    senders, searchers, store, intended
):
    service = Unreliable(visible_after_seconds=7.0, script=["500 before accept", "", ""])
    made = intended(Unreliable())
    found = Worker(store, service, policy=Policy(start_seconds=senders)).advance(made.id)
    worker = Worker(store, service, policy=Policy(start_seconds=searchers))
    assert certain_at(worker, found) == pytest.approx(found.posted_at + 40.0 + 7.0)


@pytest.mark.parametrize(("senders", "searchers"), [(3.0, 40.0), (40.0, 3.0)])
def test_of_two_opinions_when_a_job_is_listed_the_later_counts(senders, searchers, store, intended):
    service = Unreliable(visible_after_seconds=senders, script=["401 before accept"])
    found = Worker(store, service).advance(intended(Unreliable()).id)
    searcher = Worker(store, Unreliable(visible_after_seconds=searchers))
    assert certain_at(searcher, found) == pytest.approx(found.answered_at + 40.0)


def test_a_request_that_was_answered_is_searched_for_as_soon_as_it_would_be_listed(store, intended):
    service = Unreliable(visible_after_seconds=7.0, post_seconds=20.0, script=["429 after accept"])
    worker = Worker(store, service)
    found = worker.advance(intended(Unreliable()).id)
    assert (found.state, found.reason) == (State.UNKNOWN, None)
    assert certain_at(worker, found) == pytest.approx(found.answered_at + 7.0)
    assert worker.advance(found.id).server_id == service.server.jobs()[0]["id"]


def test_a_pause_before_another_request_does_not_delay_what_was_found(store, intended):
    """As after a 429 with a long Retry-After to a job that was accepted all the same."""
    service = Unreliable(script=["429 after accept"])
    worker = Worker(store, service, policy=Policy(first_retry_seconds=200.0))
    found = worker.advance(intended(Unreliable()).id)
    assert found.state is State.UNKNOWN and found.not_before > store.now() + 100
    (done,) = worker.finish([found.id], seconds=30.0)
    assert done.state is State.ANSWERED and len(service.posts) == 1


@pytest.mark.parametrize("accepted", [False, True])
def test_a_refusal_is_final_when_the_service_lists_no_job(accepted, store, intended):
    fault = f"refused {'after' if accepted else 'before'} accept"
    service = Unreliable(script=[fault])
    worker = Worker(store, service)
    held = worker.advance(intended(service).id)
    assert (held.state, held.reason) == (State.UNKNOWN, fault)
    after = worker.advance(held.id)
    assert after.state is (State.QUEUED if accepted else State.REFUSED)
    assert after.reason == (None if accepted else fault)
    assert len(service.posts) == 1


def test_where_the_computer_has_no_clock_of_its_own_the_stores_time_decides(
    store, intended, monkeypatch
):
    monkeypatch.setattr("qvlm_qiskit.basics.computer.clocks.boot", lambda: (None, 0.0))
    service = Unreliable(script=["refused before accept"])
    worker = Worker(store, service)
    held = worker.advance(intended(service).id)
    assert (held.state, held.boot) == (State.UNKNOWN, None)
    assert worker.advance(held.id).state is State.REFUSED


@pytest.mark.parametrize("more", [0, 2])
def test_only_further_jobs_with_its_tag_are_noted(more, store, intended):
    service = Unreliable(script=["dropped after accept"])
    worker = Worker(store, service)
    held = worker.advance(intended(service).id)
    (first,) = service.server.jobs()
    raw = bytes.fromhex(first["raw"])
    others = ", ".join(service.server.accept(held.tag, raw) for _ in range(more))
    assert worker.advance(held.id).server_id == first["id"]
    noted = f"; the server has more jobs with this tag ({others})" if more else ""
    assert store.history(held.id)[-1].note == f"found by its tag as {first['id']}{noted}"


def test_only_the_account_that_sent_is_asked(store, intended):
    service = Unreliable()
    sent = Worker(store, service).advance(intended(service).id)
    check_account(Worker(store, service), sent)
    other = Unreliable()
    other.account = "another"
    with pytest.raises(AnotherAccountError, match=f"{sent.id} was sent to {sent.machine}"):
        check_account(Worker(store, other), sent)


def test_what_was_never_sent_is_searched_for_by_nobody(store, buy):
    with pytest.raises(BudgetError):
        buy(Unreliable(), [0.1], budget=Budget(executions=1))
    (submission,) = store.find()
    with pytest.raises(LedgerError, match="intended but was never sent"):
        certain_at(Worker(store, Unreliable()), submission)
