import pytest

from qvlm_qiskit.errors import (
    BudgetError,
    JobFailedError,
)
from qvlm_qiskit.inference import (
    Waiting,
    cancel_evaluation,
    continue_evaluation,
    retry_evaluation,
    start_evaluation,
    submit_evaluation,
)
from qvlm_qiskit.inference.batch import answer_in_one_batch
from qvlm_qiskit.jobs import Budget, JobStore
from qvlm_qiskit.jobs.costs.usage import usage
from qvlm_qiskit.jobs.ledger.runs import list_runs, living_for, load_run, submissions_of
from qvlm_qiskit.jobs.ledger.states import State
from tests.inference.small import SMALL, started


@pytest.mark.slow
def test_cancelled_is_cancelled_until_it_is_attempted_again(tiny_run, noisy, store):
    begun, job = started(tiny_run, noisy, store)
    stopped, left = cancel_evaluation(store, begun.id)
    assert (stopped.state, left) == ("cancelled", [])
    assert store.submission(job.id).state is State.CANCELLED
    with pytest.raises(JobFailedError, match=f"qvlm jobs retry {begun.id}"):
        continue_evaluation(store, begun.id)
    # another run that needs the same rows does not buy them behind the user's back either
    with pytest.raises(JobFailedError, match="nothing is sent again by itself"):
        submit_evaluation(tiny_run, noisy, store, SMALL)
    assert [run.state for run in list_runs(store)] == ["cancelled", "failed"]
    assert store.count_jobs() == 1
    second = list_runs(store)[1]
    found = retry_evaluation(store, second.id)
    assert found.state == "done"
    attempt = submissions_of(store, found)[0]
    assert (attempt.previous, attempt.attempt) == (job.id, 2)
    assert retry_evaluation(store, begun.id).result["costs"]["jobs"] == 1  # its dead job


def test_a_cancellation_stops_the_process_that_works_on_the_run(tiny_run, noisy, store):
    """It is between two jobs then: the next one must not be sent."""
    begun = start_evaluation(tiny_run, noisy, store, SMALL)
    elsewhere, sent = JobStore(store.folder), []

    def cancel(jobs):
        if not sent and all(job.state.final for job in jobs):
            sent.append(elsewhere.count_jobs())
            assert cancel_evaluation(elsewhere, begun.id)[1] == []

    with pytest.raises(JobFailedError, match=f"run {begun.id} was cancelled.*retry {begun.id}"):
        continue_evaluation(store, begun.id, waiting=Waiting(report=cancel))
    assert load_run(store, begun.id).state == "cancelled"
    assert store.count_jobs() == sent[0] == 1
    assert retry_evaluation(store, begun.id).state == "done"
    elsewhere.close()


@pytest.mark.slow
def test_a_cancellation_at_the_end_keeps_a_run_from_being_done(tiny_run, noisy, store, monkeypatch):
    begun = start_evaluation(tiny_run, noisy, store, SMALL)

    def and_cancel(*args):
        found = answer_in_one_batch(*args)
        cancel_evaluation(store, begun.id)
        return found

    monkeypatch.setattr("qvlm_qiskit.inference.drive.answer_in_one_batch", and_cancel)
    with pytest.raises(JobFailedError, match=f"run {begun.id} was cancelled"):
        continue_evaluation(store, begun.id)
    assert load_run(store, begun.id).state == "cancelled"


@pytest.mark.slow
def test_what_another_run_waits_for_runs_on_until_that_is_cancelled_too(tiny_run, noisy, store):
    first, job = started(tiny_run, noisy, store)
    second = submit_evaluation(tiny_run, noisy, store, SMALL, detach=True)
    assert store.count_jobs() == 1
    stopped, left = cancel_evaluation(store, first.id)
    assert (stopped.state, left) == ("cancelled", [])
    assert living_for(store, stopped) == ([], {job.id: [second.id]})
    assert not store.submission(job.id).state.final
    stopped, left = cancel_evaluation(store, second.id)
    assert (stopped.state, left) == ("cancelled", [])
    assert store.submission(job.id).state is State.CANCELLED


def test_what_was_never_sent_is_withdrawn(tiny_run, noisy, store):
    begun = start_evaluation(tiny_run, noisy, store, SMALL)
    with pytest.raises(BudgetError):
        continue_evaluation(store, begun.id, budget=Budget(executions=1))
    (job,) = submissions_of(store, begun)
    assert job.state is State.INTENDED
    stopped, left = cancel_evaluation(store, begun.id)
    assert (stopped.state, left) == ("cancelled", [])
    assert store.submission(job.id).state is State.WITHDRAWN
    assert usage(store) == []
    assert retry_evaluation(store, begun.id).state == "done"
