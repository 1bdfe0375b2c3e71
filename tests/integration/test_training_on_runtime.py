"""Trainings that buy their steps through the unmodified Runtime client."""

import dataclasses

import pytest

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import JobFailedError
from qvlm_qiskit.jobs import Budget, JobStore, Policy, Recording
from qvlm_qiskit.jobs.ledger.runs import list_runs, retry_ended
from qvlm_qiskit.quantum import SampledGradient
from qvlm_qiskit.training import Ledger, Subject, options_from, plan_training, train
from tests.runtime_server import RuntimeServer

POLICY = Policy(poll_seconds=0.05, longest_poll_seconds=0.2)
RECORDING = Recording(budget=Budget(seconds=600), policy=POLICY, service={"posts_per_minute": None})
SHIFTS = SampledGradient("param_shift")


@pytest.fixture
def server(monkeypatch):
    with RuntimeServer(["fake_manila"], instant=True) as serving:
        for name, value in serving.environment().items():
            monkeypatch.setenv(name, value)
        yield serving


@pytest.fixture
def machine(server):
    return open_backend("ibm:fake_manila", shots=16, seed=1)


@pytest.fixture
def store(tmp_path):
    made = JobStore(tmp_path / "jobs")
    yield made
    made.close()


@pytest.fixture
def options(tiny_run):
    return options_from(tiny_run, steps=2, batch_size=1)


def accepted(server):
    """The jobs of the service, in the order of their acceptance."""
    return list(server.jobs)


@pytest.mark.slow
def test_a_fine_tuning_is_what_was_planned(tiny_run, options, machine, server, store, tmp_path):
    subject = Subject(options, tiny_run, "circuits")
    plan = plan_training(subject, machine, SHIFTS, store, RECORDING)
    ledger = Ledger(store, RECORDING, plan)
    asked = {"backend": machine, "gradient": SHIFTS, "ledger": ledger}
    run = train(options, tmp_path / "run", source=tiny_run, **asked)
    jobs = accepted(server)
    assert len(jobs) == plan.total.jobs == options.steps
    assert [job.executions for job in jobs] == [step.executions for step in plan.steps]
    bought = store.find()
    assert [one.rows for one in bought] == [step.rows for step in plan.steps]
    estimated = [one.seconds_estimated for one in bought]
    assert estimated == pytest.approx([step.seconds for step in plan.steps])
    assert run.info["ledger"]["costs"]["jobs"] == options.steps
    # the angles alone: what stands before a circuit is not shifted
    whole = plan_training(Subject(options, tiny_run, "all"), machine, SHIFTS, None, RECORDING)
    assert plan.total.rows < whole.total.rows


@pytest.mark.slow
def test_a_limit_of_the_machine_cuts_a_step_as_it_was_planned(
    tiny_run, options, machine, server, store, tmp_path, monkeypatch
):
    from qvlm_qiskit.backends.ibm import runtime_jobs

    one = dataclasses.replace(options, steps=1)
    subject = Subject(one, tiny_run, "circuits")
    uncut = plan_training(subject, machine, SHIFTS, None, RECORDING).total
    limits = dataclasses.replace(runtime_jobs.IBM_LIMITS, executions=uncut.executions // 3 + 16)
    monkeypatch.setattr(runtime_jobs, "IBM_LIMITS", limits)
    machine = dataclasses.replace(machine, limits=limits)
    plan = plan_training(subject, machine, SHIFTS, store, RECORDING)
    assert plan.total.jobs == 3
    ledger = Ledger(store, RECORDING, plan)
    asked = {"backend": machine, "gradient": SHIFTS, "ledger": ledger}
    train(one, tmp_path / "run", source=tiny_run, **asked)
    assert len(accepted(server)) == 3
    assert sum(job.executions for job in accepted(server)) == uncut.executions


@pytest.mark.slow
def test_a_failed_job_ends_the_training_until_it_is_attempted_again(
    tiny_run, options, machine, server, store, tmp_path
):
    server.faults.add("job_failed", nth=2, value="calibration drifted")
    plan = plan_training(Subject(options, tiny_run, "circuits"), machine, SHIFTS, None, RECORDING)
    ledger = Ledger(store, RECORDING, plan)
    asked = {"backend": machine, "gradient": SHIFTS, "ledger": ledger, "source": tiny_run}
    with pytest.raises(JobFailedError, match="calibration drifted"):
        train(options, tmp_path / "run", **asked)
    (record,) = list_runs(store)
    assert record.state == "failed"
    with pytest.raises(JobFailedError, match=f"qvlm jobs retry {record.id}"):
        train(options, tmp_path / "run", resume=True, **asked)
    assert len(retry_ended(store, record)) == 1
    train(options, tmp_path / "run", resume=True, **asked)
    assert len(accepted(server)) == 3
