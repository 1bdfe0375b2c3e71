"""Trainings through a ledger, on a simulator that counts like a paid machine."""

import dataclasses
import shutil
from contextlib import closing

import pytest
import torch
from safetensors.torch import load_file

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import BackendError, BudgetError, InputError, JobFailedError, QVLMError
from qvlm_qiskit.jobs import Budget, JobStore, Recording
from qvlm_qiskit.jobs.ledger.runs import close_run, list_runs, new_run
from qvlm_qiskit.quantum import SampledGradient
from qvlm_qiskit.training import Ledger, Subject, TrainingOptions, plan_training, train

OPTIONS = TrainingOptions(recipe="tiny", steps=2, batch_size=1, train_samples=4)
SPSA = SampledGradient("spsa")


def limited(executions):
    return Recording(budget=Budget(executions=executions))


def weights(run):
    return load_file(run.path / "model" / "model.safetensors")


@pytest.fixture(scope="module")
def machine():
    return open_backend("noisy:fake_manila", shots=16, seed=0)


@pytest.fixture(scope="module")
def plan(machine):
    return plan_training(Subject(OPTIONS), machine, SPSA)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    made = JobStore(tmp_path_factory.mktemp("whole") / "jobs")
    yield made
    made.close()


@pytest.fixture(scope="module")
def whole(shared, machine, plan):
    """An uninterrupted training."""
    ledger = Ledger(shared, limited(10_000), plan)
    place = shared.folder.parent / "run"
    return train(OPTIONS, place, backend=machine, gradient=SPSA, ledger=ledger)


@pytest.fixture
def store(tmp_path):
    made = JobStore(tmp_path / "jobs")
    yield made
    made.close()


@pytest.fixture(scope="module")
def halved(tmp_path_factory, machine, plan):
    """A training whose budget ended behind its first step; tests that use it take a copy."""
    folder = tmp_path_factory.mktemp("halved")
    with closing(JobStore(folder / "jobs")) as store, pytest.raises(BudgetError) as ended:
        ledger = Ledger(store, limited(plan.steps[0].executions + 1), plan)
        train(OPTIONS, folder / "run", backend=machine, gradient=SPSA, ledger=ledger)
    return folder, str(ended.value)


def test_a_step_is_one_job_and_the_forecast_is_what_is_bought(whole, shared, plan):
    jobs = shared.find()
    assert [job.rows for job in jobs] == [step.rows for step in plan.steps]
    assert [job.executions for job in jobs] == [step.executions for step in plan.steps]
    assert [step.jobs for step in plan.steps] == [1, 1]
    assert plan.total.rows == sum(job.rows for job in jobs)


def test_the_ledger_and_the_run_folder_know_each_other(whole, shared):
    (run,) = list_runs(shared)
    assert (run.state, run.request["run"]) == ("done", str(whole.path.resolve()))
    assert run.result["steps"] == OPTIONS.steps
    about = whole.info["ledger"]
    assert (about["run"], about["place"]) == (run.id, shared.place)
    assert about["costs"]["rows"] == sum(job.rows for job in shared.find())
    assert not (whole.path / "ledger.json").exists()


def test_a_budget_for_some_steps_keeps_them_and_says_how_to_go_on(halved, plan):
    _, said = halved
    assert said.startswith(f"step 2 needs about {plan.steps[1].executions:,} executions")
    assert "1 of 2 steps are kept, --resume --budget-seconds MORE goes on" in said


def test_a_training_that_is_gone_on_with_ends_like_an_uninterrupted_one(
    halved, tmp_path, machine, plan, whole
):
    """Without a checkpoint: its first step is made again from the ledger's answers."""
    folder = shutil.copytree(halved[0], tmp_path / "copy")
    with closing(JobStore(folder / "jobs")) as store:
        ledger = Ledger(store, limited(10_000), plan)
        asked = {"backend": machine, "gradient": SPSA, "ledger": ledger}
        with pytest.raises(InputError, match="with its rows in a ledger: go on with --resume"):
            train(OPTIONS, folder / "run", **asked)
        run = train(OPTIONS, folder / "run", resume=True, **asked)
        assert [job.rows for job in store.find()] == [step.rows for step in plan.steps]
        (record,) = list_runs(store)
    ours, theirs = weights(run), weights(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert record.state == "done"
    assert run.history() == whole.history()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"options": {"steps": 3}}, "was started with steps=2"),
        ({"recording": Recording(fresh="again")}, "was started with ledger="),
        ({"place": "elsewhere"}, "was started with the ledger .*jobs, as its run r-"),
        ({"gradient": SampledGradient("spsa", samples=2)}, "was started with gradient="),
        ({"recording": limited(700)}, "the next step needs about .* left"),
    ],
)
def test_going_on_with_something_else_is_refused(halved, tmp_path, machine, plan, change, says):
    folder = shutil.copytree(halved[0], tmp_path / "copy")
    with closing(JobStore(folder / change.get("place", "jobs"))) as store:
        left = dataclasses.replace(plan, steps=plan.steps[1:])
        ledger = Ledger(store, change.get("recording", limited(10_000)), left)
        options = dataclasses.replace(OPTIONS, **change.get("options", {}))
        gradient = change.get("gradient", SPSA)
        with pytest.raises(QVLMError, match=says):
            train(
                options, folder / "run", backend=machine, gradient=gradient, ledger=ledger,
                resume=True,
            )  # fmt: skip


def test_a_run_that_was_cancelled_is_not_gone_on_with(halved, tmp_path, machine, plan):
    folder = shutil.copytree(halved[0], tmp_path / "copy")
    with closing(JobStore(folder / "jobs")) as store:
        (run,) = list_runs(store)
        close_run(store, run, "cancelled", error="by the user")
        ledger = Ledger(store, limited(10_000), plan)
        with pytest.raises(JobFailedError, match=f"qvlm jobs retry {run.id}"):
            train(
                OPTIONS, folder / "run", backend=machine, gradient=SPSA, ledger=ledger, resume=True
            )


@pytest.mark.slow
def test_starting_over_ends_the_run_that_was_begun(halved, tmp_path, machine, plan, whole):
    folder = shutil.copytree(halved[0], tmp_path / "copy")
    with closing(JobStore(folder / "jobs")) as store:
        ledger = Ledger(store, limited(10_000), plan)
        asked = {"backend": machine, "gradient": SPSA, "ledger": ledger}
        run = train(OPTIONS, folder / "run", overwrite=True, **asked)
        assert [one.state for one in list_runs(store)] == ["cancelled", "done"]
        assert run.info["ledger"]["costs"]["rows_saved"] == plan.steps[0].rows
        assert store.count_jobs() == 2


def test_a_budget_below_one_step_is_refused_and_leaves_nothing(tmp_path, tree, machine, plan):
    with closing(JobStore(tmp_path / "jobs")) as store:
        ledger = Ledger(store, limited(100), plan)
        with pytest.raises(BudgetError, match="a step needs about 624 executions; the budget is"):
            train(OPTIONS, tmp_path / "run", backend=machine, gradient=SPSA, ledger=ledger)
        assert (list_runs(store), store.find()) == ([], [])
    assert not (tmp_path / "run").exists() and not (tmp_path / "run.partial").exists()


@pytest.mark.parametrize("bought", [True, False])
def test_a_ledger_that_is_busy_with_the_same_folder_is_refused(
    store, tmp_path, machine, plan, monkeypatch, bought
):
    """One that never bought anything is no training that could be lost."""
    out = tmp_path / "run"
    other = new_run(store, {"format": "qvlm-training", "run": str(out.resolve())})
    monkeypatch.setattr(
        "qvlm_qiskit.training.ledger.submissions_of", lambda *_: [other] if bought else []
    )
    says = f"busy with another training of .*, run {other.id}" if bought else "a step needs"
    with pytest.raises(QVLMError, match=says):
        ledger = Ledger(store, limited(100), plan)
        train(OPTIONS, out, backend=machine, gradient=SPSA, ledger=ledger)
    assert list_runs(store)[0].state == ("waiting" if bought else "cancelled")


def test_what_no_ledger_can_keep_is_refused(store, tmp_path, machine):
    exact = open_backend("noisy:fake_manila", precision=0, seed=0)
    for asked, says in (
        ({}, "give the training a backend"),
        ({"backend": exact}, "computes its values"),
        ({"backend": machine}, "without a gradient for its samples"),
    ):
        with pytest.raises(QVLMError, match=says):
            train(OPTIONS, tmp_path / "run", ledger=Ledger(store), **asked)


def test_a_paid_machine_needs_a_ledger_and_a_budget(store, tmp_path, machine):
    paid = dataclasses.replace(machine, kind="hardware", service=lambda: None)
    asked = {"backend": paid, "gradient": SPSA}
    with pytest.raises(BackendError, match="without a ledger"):
        train(OPTIONS, tmp_path / "run", **asked)
    with pytest.raises(BudgetError, match="without a budget"):
        train(OPTIONS, tmp_path / "run", ledger=Ledger(store), **asked)
