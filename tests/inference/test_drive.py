"""Evaluations are gone on with from their record, paid once, and never half-known."""

import time

import pytest

from qvlm_qiskit.errors import (
    BackendError,
    BudgetError,
    InputError,
    JobFailedError,
    LedgerError,
)
from qvlm_qiskit.inference import (
    SubmitOptions,
    Waiting,
    cancel_evaluation,
    continue_evaluation,
    retry_evaluation,
    start_evaluation,
    submit_evaluation,
)
from qvlm_qiskit.jobs import Budget, JobStore
from qvlm_qiskit.jobs.ledger.pinned import Drift, PinnedCompiler
from qvlm_qiskit.jobs.ledger.runs import load_run, new_run, submissions_of
from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.runs import Run
from tests.inference.small import SMALL, end_processes, started, texts


def test_a_budget_that_is_met_too_late_leaves_a_run_that_can_go_on(tiny_run, noisy, store):
    begun = start_evaluation(tiny_run, noisy, store, SMALL)
    with pytest.raises(BudgetError, match="executions"):
        continue_evaluation(store, begun.id, budget=Budget(executions=2000))
    left = load_run(store, begun.id)
    assert left.state == "waiting"
    spent = [s for s in submissions_of(store, left) if s.state is State.ANSWERED]
    assert spent
    assert sum(s.executions for s in spent) <= 2000
    found = continue_evaluation(store, begun.id, budget=Budget(executions=10**6))
    assert found.state == "done"
    assert {s.id for s in spent} <= set(found.result["costs"]["submissions"])


def test_what_is_done_is_not_done_again(tiny_run, noisy, store):
    done = submit_evaluation(tiny_run, noisy, store, SMALL)
    assert continue_evaluation(store, done.id) == done
    for refuse in (retry_evaluation, cancel_evaluation):
        with pytest.raises(InputError, match="is done"):
            refuse(store, done.id)


def test_the_record_holds_all_that_is_needed(tiny_run, noisy, store, monkeypatch, tmp_path):
    monkeypatch.chdir(tiny_run.path.parent)
    relative = Run.open(tiny_run.path.relative_to(tiny_run.path.parent))
    begun = start_evaluation(relative, noisy, store, SMALL)
    monkeypatch.chdir(tmp_path)
    reopened = JobStore(store.folder)
    assert continue_evaluation(reopened, begun.id).state == "done"
    reopened.close()


def test_runs_of_another_kind_are_refused(store):
    other = new_run(store, {"format": "something else", "version": 7})
    with pytest.raises(LedgerError, match="'something else' of version 7"):
        continue_evaluation(store, other.id)


@pytest.mark.slow
def test_a_detached_job_runs_on_by_itself_and_is_taken_along(tiny_run, noisy, store, tmp_path):
    begun, job = started(tiny_run, noisy, store)
    deadline = time.monotonic() + 60
    while not (store.folder / "local" / job.server_id / "result").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    found = continue_evaluation(store, begun.id)
    assert found.state == "done"
    assert store.submission(job.id).posts == 1
    other = JobStore(tmp_path / "other")
    attached = submit_evaluation(tiny_run, noisy, other, SMALL)
    assert texts(found) == texts(attached)
    assert other.count_jobs() == store.count_jobs()
    other.close()


def test_a_job_that_fails_fails_the_run_with_its_reason(tiny_run, noisy, store):
    begun, job = started(tiny_run, noisy, store)
    end_processes(store)
    (store.folder / "local" / job.server_id / "error").write_text("the fridge is warm")
    for _ in range(2):
        with pytest.raises(JobFailedError, match="the fridge is warm"):
            continue_evaluation(store, begun.id)
    failed = load_run(store, begun.id)
    assert failed.state == "failed"
    assert "the fridge is warm" in failed.error
    assert store.count_jobs() == 1
    assert retry_evaluation(store, begun.id).state == "done"


@pytest.mark.slow
def test_report_sees_the_jobs(tiny_run, noisy, store):
    seen = []
    begun = start_evaluation(tiny_run, noisy, store, SMALL)
    continue_evaluation(store, begun.id, waiting=Waiting(report=seen.append))
    states = {job.state for jobs in seen for job in jobs}
    assert State.ANSWERED in states
    assert time.time() > max(job.updated_at for jobs in seen for job in jobs) - 1


def test_a_fallen_estimate_stops_a_run_that_asked_for_it_and_is_stated_by_others(
    tiny_run, noisy, store, monkeypatch
):
    begun = start_evaluation(tiny_run, noisy, store, SubmitOptions(limit=2, replan_if=0.1))
    told = start_evaluation(tiny_run, noisy, store, SMALL)
    monkeypatch.setattr(PinnedCompiler, "drift", lambda self: Drift(0.8, 0.69))
    with pytest.raises(BackendError, match=r"fell from 0\.8 to 0\.69, by more than 0\.1"):
        continue_evaluation(store, begun.id)
    assert load_run(store, begun.id).state == "waiting"
    assert store.find() == []
    found = continue_evaluation(store, told.id)
    assert found.result["drift"] == {"planned": 0.8, "now": 0.69}
    monkeypatch.undo()
    assert "drift" not in continue_evaluation(store, begun.id).result
    for wrong in (-0.1, 1.5):
        with pytest.raises(InputError, match="replan_if"):
            SubmitOptions(replan_if=wrong)
