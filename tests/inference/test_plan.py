"""Evaluations by jobs: gone on with from their record, paid once, and never half-known."""

import dataclasses
import hashlib
import json
import os
import signal
import time
from contextlib import suppress

import pytest
from PIL import Image

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.data import Sample
from qvlm_qiskit.errors import (
    BackendError,
    BudgetError,
    InputError,
    JobFailedError,
    LedgerError,
    RunFolderError,
)
from qvlm_qiskit.evaluation import evaluate
from qvlm_qiskit.inference import (
    SubmitOptions,
    Waiting,
    cancel_evaluation,
    continue_evaluation,
    export_run,
    plan_evaluation,
    retry_evaluation,
    start_evaluation,
    submit_evaluation,
)
from qvlm_qiskit.inference.batch import answer_in_one_batch
from qvlm_qiskit.inference.request import questions, questions_digest
from qvlm_qiskit.jobs import Budget, JobStore
from qvlm_qiskit.jobs.costs.usage import usage
from qvlm_qiskit.jobs.ledger.runs import list_runs, living_for, load_run, new_run, submissions_of
from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.jobs.verify import verify
from qvlm_qiskit.runs import Run

SMALL = SubmitOptions(limit=2)


@pytest.fixture
def store(tmp_path):
    made = JobStore(tmp_path / "jobs")
    yield made
    end_processes(made)
    made.close()


@pytest.fixture
def noisy():
    return open_backend("noisy:fake_manila", shots=200, seed=1)


def process_ids(store):
    for record in (store.folder / "local").glob("*/process"):
        yield json.loads(record.read_bytes())["id"]


def end_processes(store):
    for process in process_ids(store):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def texts(run):
    return tuple(one["answer"] for one in run.result["questions"])


@pytest.mark.parametrize(
    "backend",
    [
        ("statevector", {}),
        ("aer", {}),
        ("noisy:fake_manila", {"precision": 0}),
    ],
    ids=lambda pair: pair[0],
)
def test_exact_answers_are_those_of_an_evaluation(tiny_run, processor, store, backend):
    name, options = backend
    machine = open_backend(name, seed=0, **options)
    samples = questions(tiny_run, SMALL.limit)
    model = tiny_run.model()
    with model.run_on(machine):
        plain = evaluate(model, processor, samples)
    found = submit_evaluation(tiny_run, machine, store, SMALL)
    assert found.state == "done"
    assert texts(found) == plain.answers
    assert found.result["accuracy"] == plain.accuracy.value
    assert found.result["costs"]["jobs"] == store.count_jobs() > 1


def test_a_second_submission_costs_nothing(tiny_run, noisy, store):
    first = submit_evaluation(tiny_run, noisy, store, SMALL)
    jobs, rows = store.count_jobs(), store.count_rows()
    assert first.result["costs"]["rows"] == rows == verify(store)
    second = submit_evaluation(tiny_run, noisy, store, SMALL)
    assert texts(second) == texts(first)
    assert (store.count_jobs(), store.count_rows()) == (jobs, rows)
    costs = second.result["costs"]
    assert (costs["jobs"], costs["rows_saved"]) == (0, rows)
    assert costs["executions_saved"] == rows * 200
    (spent,) = usage(store)
    assert (spent.run, spent.jobs, spent.rows) == (first.id, jobs, rows)
    assert spent.executions == rows * 200


def test_fresh_and_calibration_ask_for_new_samples(tiny_run, noisy, store):
    for changes in ({}, {"fresh": "2"}, {"calibration": "2026-01-01"}):
        before = store.count_rows()
        submit_evaluation(tiny_run, noisy, store, dataclasses.replace(SMALL, **changes))
        assert store.count_rows() > before, changes


def test_a_plan_is_what_is_bought(tiny_run, store):
    machine = open_backend("noisy:fake_manila", precision=0, seed=1)
    plan = plan_evaluation(tiny_run, machine, SMALL, store)
    assert plan.chosen is plan.without_prefetch
    assert plan.chosen.known == 0
    begun = start_evaluation(tiny_run, machine, store, SMALL, plan)
    found = continue_evaluation(store, begun.id)
    assert found.result["costs"]["rows"] == plan.chosen.rows
    assert found.result["costs"]["jobs"] == plan.chosen.jobs == plan.waits["without"]
    again = plan_evaluation(tiny_run, machine, SMALL, store).chosen
    assert (again.rows, again.known, again.jobs) == (plan.chosen.rows, plan.chosen.rows, 0)
    json.dumps(plan.as_dict(), allow_nan=False)


def test_prefetch_buys_in_two_jobs_that_wait_together(tiny_run, noisy, store):
    options = dataclasses.replace(SMALL, prefetch=True)
    plan = plan_evaluation(tiny_run, noisy, options)
    assert plan.waits["with"] == 1 < plan.waits["without"]
    assert plan.chosen.rows > plan.without_prefetch.rows
    found = submit_evaluation(tiny_run, noisy, store, options)
    assert found.result["costs"]["jobs"] == store.count_jobs() == plan.chosen.jobs == 2
    assert found.result["costs"]["rows"] == plan.chosen.rows


def test_prefetch_saves_the_words_of_other_questions_too(tiny_run, noisy, store):
    submit_evaluation(tiny_run, noisy, store, dataclasses.replace(SMALL, prefetch=True))
    before = store.count_jobs()
    submit_evaluation(tiny_run, noisy, store, SMALL)
    assert store.count_jobs() == before


@pytest.mark.parametrize(
    ("budget", "says"),
    [
        (Budget(executions=100), "executions"),
        (Budget(seconds=3), "QPU s"),
    ],
)
def test_a_budget_refuses_before_anything_is_sent(tiny_run, noisy, store, budget, says):
    with pytest.raises(BudgetError, match=rf"about .* {says} in \d+ jobs"):
        submit_evaluation(tiny_run, noisy, store, dataclasses.replace(SMALL, budget=budget))
    assert (store.count_jobs(), list_runs(store)) == (0, [])


def test_a_budget_for_what_nobody_knows_is_refused(tiny_run, store):
    options = dataclasses.replace(SMALL, budget=Budget(executions=10**9))
    with pytest.raises(BudgetError, match="not known beforehand"):
        submit_evaluation(tiny_run, open_backend("statevector"), store, options)


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


def test_another_model_is_refused_by_the_file_that_changed(run_copy, noisy, store):
    begun = start_evaluation(Run.open(run_copy), noisy, store, SMALL)
    weights = run_copy / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    recorded = begun.request["model"]["model.safetensors"]
    assert recorded == hashlib.sha256(content).hexdigest()
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(RunFolderError, match=r"model/model\.safetensors has changed"):
        continue_evaluation(store, begun.id)
    assert store.count_jobs() == 0


def with_another_seed(folder):
    record = folder / "run.json"
    content = json.loads(record.read_text())
    content["options"]["seed"] += 1
    record.write_text(json.dumps(content))


def test_other_questions_are_refused(run_copy, noisy, store):
    begun = start_evaluation(Run.open(run_copy), noisy, store, SMALL)
    with_another_seed(run_copy)
    with pytest.raises(RunFolderError, match=r"questions are others .*submit it anew"):
        continue_evaluation(store, begun.id)
    assert store.count_jobs() == 0
    assert load_run(store, begun.id).state == "waiting"


def test_a_model_that_changes_while_it_is_read_is_refused(run_copy, noisy, store, monkeypatch):
    begun = start_evaluation(Run.open(run_copy), noisy, store, SMALL)
    weights, read = run_copy / "model" / "model.safetensors", Run.model

    def and_write(run):
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
        return read(run)

    monkeypatch.setattr(Run, "model", and_write)
    with pytest.raises(RunFolderError, match=r"model/model\.safetensors has changed"):
        continue_evaluation(store, begun.id)
    assert store.count_jobs() == 0


def test_a_file_in_a_subfolder_of_the_model_counts(run_copy, noisy, store):
    begun = start_evaluation(Run.open(run_copy), noisy, store, SMALL)
    (run_copy / "model" / "more").mkdir()
    (run_copy / "model" / "more" / "code.py").touch()
    with pytest.raises(RunFolderError, match=r"model/more/code\.py has changed"):
        continue_evaluation(store, begun.id)


def test_a_record_of_version_1_is_gone_on_with(run_copy, noisy, store):
    """It had no checksum of the questions, and none of subfolders."""
    begun = start_evaluation(Run.open(run_copy), noisy, store, SMALL)
    old = {key: value for key, value in begun.request.items() if key != "questions"}
    (run_copy / "model" / "more").mkdir()
    (run_copy / "model" / "more" / "code.py").touch()
    run = new_run(store, {**old, "version": 1})
    assert begun.request["version"] == 2
    assert continue_evaluation(store, run.id).state == "done"


def test_questions_differ_in_any_part():
    image = Image.new("L", (2, 2))
    sample = Sample(image, "kind", "question", "answer", (0, 1))
    other = Image.new("L", (2, 2), 1)
    asked = [
        [sample],
        [sample, sample],
        [],
        *(
            [dataclasses.replace(sample, **changes)]
            for changes in (
                {"image": other},
                {"kind": "x"},
                {"question": "x"},
                {"answer": "x"},
                {"image": Image.new("L", (4, 1))},
            )
        ),
    ]
    assert len({questions_digest(samples) for samples in asked}) == len(asked)


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


def test_options_and_machines_that_cannot_be_meant(tiny_run, store):
    with pytest.raises(InputError, match="at least 1 question"):
        SubmitOptions(limit=0)
    with pytest.raises(InputError, match=r"unknown mode 'batches'.*did you mean 'batch'"):
        SubmitOptions(mode="batches")
    device = open_backend("fake_armonk", shots=10)
    with pytest.raises(BackendError, match="can't run it"):
        submit_evaluation(tiny_run, device, store, SMALL)
    assert list_runs(store) == []


def test_an_export_is_whole_and_its_sums_are_right(tiny_run, noisy, store, tmp_path):
    done = submit_evaluation(tiny_run, noisy, store, SMALL)
    again = submit_evaluation(tiny_run, noisy, store, SMALL)  # buys nothing itself
    folder = tmp_path / "kept"
    sums = export_run(store, again.id, folder)
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert {line.split("  ")[1] for line in lines} == files - {"SHA256SUMS"} == set(sums)
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest == sums[name]
    assert json.loads((folder / "result.json").read_text()) == again.result
    entries = json.loads((folder / "submissions.json").read_text())
    assert [e["id"] for e in entries] == [s.id for s in submissions_of(store, done)]
    for entry in entries:
        for kind, column in (("packages", "package"), ("raw", "raw")):
            (path,) = (folder / kind).glob(f"{entry['id']}.*")
            assert hashlib.sha256(path.read_bytes()).hexdigest() == entry[column]
    with pytest.raises(InputError, match="exists already"):
        export_run(store, again.id, folder)


def started(tiny_run, noisy, store):
    """A detached run whose one local job runs in a process of its own."""
    begun = submit_evaluation(tiny_run, noisy, store, SMALL, detach=True)
    assert begun.state == "waiting"
    (job,) = submissions_of(store, begun)
    assert job.state in (State.QUEUED, State.RUNNING)
    return begun, job


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


def test_a_run_gets_the_rows_that_it_shares_with_a_cancelled_one(tiny_run, noisy, store):
    first, _ = started(tiny_run, noisy, store)
    second = submit_evaluation(tiny_run, noisy, store, SMALL, detach=True)
    cancel_evaluation(store, first.id)
    done = continue_evaluation(store, second.id)
    assert done.state == "done"
    assert done.result["costs"]["rows_saved"] > 0


def test_rows_of_a_dead_job_are_not_known_to_a_plan(tiny_run, noisy, store):
    begun, job = started(tiny_run, noisy, store)
    fresh = plan_evaluation(tiny_run, noisy, SMALL).chosen
    plan = plan_evaluation(tiny_run, noisy, SMALL, store).chosen
    assert (plan.known, plan.jobs) == (job.rows, fresh.jobs - 1)
    cancel_evaluation(store, begun.id)
    assert plan_evaluation(tiny_run, noisy, SMALL, store).chosen == fresh


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


def test_report_sees_the_jobs(tiny_run, noisy, store):
    seen = []
    begun = start_evaluation(tiny_run, noisy, store, SMALL)
    continue_evaluation(store, begun.id, waiting=Waiting(report=seen.append))
    states = {job.state for jobs in seen for job in jobs}
    assert State.ANSWERED in states
    assert time.time() > max(job.updated_at for jobs in seen for job in jobs) - 1
