"""Evaluations of a trained model through the unmodified Runtime client, in batches of two jobs."""

from dataclasses import replace

import pytest

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import BudgetError, JobFailedError
from qvlm_qiskit.inference import (
    SubmitOptions,
    cancel_evaluation,
    continue_evaluation,
    retry_evaluation,
    submit_evaluation,
)
from qvlm_qiskit.jobs import Budget, JobStore, State
from qvlm_qiskit.jobs.ledger.runs import list_runs, submissions_of
from tests.runtime_server import RuntimeServer

OPTIONS = SubmitOptions(limit=2, prefetch=True)


def serving(patch, **options):
    server = RuntimeServer(["fake_manila"], instant=True, **options)
    server.start()
    for name, value in server.environment().items():
        patch.setenv(name, value)
    return server


@pytest.fixture(scope="module")
def shared():
    with pytest.MonkeyPatch.context() as patch:
        server = serving(patch, queue_seconds=0.3)
        yield server
        server.stop()


@pytest.fixture
def server(shared):
    yield shared
    shared.faults.clear()


@pytest.fixture
def store(tmp_path):
    made = JobStore(tmp_path / "jobs")
    yield made
    made.close()


@pytest.fixture
def machine(server):
    return open_backend("ibm:fake_manila", shots=20, seed=1)


def jobs_of(server, store):
    """The server's jobs of a ledger's submissions, one list per submission."""
    return [list(server.jobs.tagged(submission.tag)) for submission in store.find()]


@pytest.mark.slow
def test_both_blocks_jobs_wait_together_and_nothing_is_sent_twice(tiny_run, machine, server, store):
    done = submit_evaluation(tiny_run, machine, store, OPTIONS)
    assert done.state == "done"
    first, second = submissions_of(store, done)
    assert [len(found) for found in jobs_of(server, store)] == [1, 1]
    assert first.session == second.session is not None
    at = {
        (one.id, event.state): event.at
        for one in (first, second)
        for event in store.history(one.id)
    }
    assert at[second.id, "queued"] < at[first.id, "completed"]
    assert server.sessions.get(first.session)["accepting_jobs"] is False  # closed with the run
    assert done.result["costs"]["rows"] == first.rows + second.rows
    again = submit_evaluation(tiny_run, machine, store, replace(OPTIONS, prefetch=False))
    assert again.result["costs"]["jobs"] == 0
    assert store.count_jobs() == 2


@pytest.mark.slow
def test_detached_is_gone_on_with_from_its_record(tiny_run, machine, server, store):
    begun = submit_evaluation(tiny_run, machine, store, OPTIONS, detach=True)
    assert begun.state == "waiting"
    assert [len(found) for found in jobs_of(server, store)] == [1, 1]
    other = JobStore(store.folder)
    assert continue_evaluation(other, begun.id).state == "done"
    assert [len(found) for found in jobs_of(server, store)] == [1, 1]
    other.close()


@pytest.mark.slow
def test_a_lost_answer_is_found_by_its_tag(tiny_run, machine, server, store):
    server.faults.add("drop_after", nth=1)
    done = submit_evaluation(tiny_run, machine, store, OPTIONS)
    assert done.state == "done"
    assert [len(found) for found in jobs_of(server, store)] == [1, 1]
    states = [event.state for event in store.history(submissions_of(store, done)[0].id)]
    assert "unknown" in states


@pytest.mark.slow
def test_a_failed_job_fails_the_run_until_it_is_attempted_again(tiny_run, machine, server, store):
    server.faults.add("job_failed", nth=1, value="calibration drifted")
    with pytest.raises(JobFailedError, match="calibration drifted"):
        submit_evaluation(tiny_run, machine, store, OPTIONS)
    (run,) = list_runs(store)
    assert run.state == "failed"
    done = retry_evaluation(store, run.id)
    assert done.state == "done"
    assert [one.attempt for one in submissions_of(store, done)] == [1, 1, 2]
    assert [len(found) for found in jobs_of(server, store)] == [1, 1, 1]


@pytest.mark.slow
def test_cancel_reaches_the_server(tiny_run, store, monkeypatch):
    server = serving(monkeypatch, queue_seconds=120.0)
    try:
        machine = open_backend("ibm:fake_manila", shots=20, seed=1)
        begun = submit_evaluation(tiny_run, machine, store, OPTIONS, detach=True)
        stopped, left = cancel_evaluation(store, begun.id)
        assert (stopped.state, left) == ("cancelled", [])
        assert {one.state for one in submissions_of(store, stopped)} == {State.CANCELLED}
        assert {job.status for found in jobs_of(server, store) for job in found} == {"Cancelled"}
    finally:
        server.stop()


@pytest.mark.slow
def test_an_account_without_time_is_not_charged(tiny_run, store, monkeypatch):
    server = serving(monkeypatch, allowance_seconds=1.0)
    try:
        machine = open_backend("ibm:fake_manila", shots=20, seed=1)
        with pytest.raises(BudgetError, match=r"the account has 1\.0 s left"):
            submit_evaluation(tiny_run, machine, store, OPTIONS)
        assert (list_runs(store), store.find(), len(server.jobs)) == ([], [], 0)
        with pytest.raises(BudgetError, match="nothing was sent"):
            budget = Budget(seconds=1)
            submit_evaluation(tiny_run, machine, store, replace(OPTIONS, budget=budget))
    finally:
        server.stop()
