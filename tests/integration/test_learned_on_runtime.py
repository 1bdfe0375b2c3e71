"""Learned noise on the loopback service: bought once, in a job of its own, and never twice."""

import os
import subprocess
import sys

import numpy as np
import pytest

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import BudgetError, JobPending, MitigationError
from qvlm_qiskit.jobs import Budget, JobStore, Recording, State, recorded_backend
from qvlm_qiskit.jobs.verify import verify
from tests.integration.conftest import learning_server
from tests.integration.dying_learner import (
    CIRCUIT,
    OBSERVABLES,
    ROOT,
    VALUES,
    asked,
    opened,
)
from tests.integration.test_jobs_on_runtime import PATIENCE, SERVICE


@pytest.mark.parametrize("mitigation", ["pea(samples=4,randomizations=2)"])
def test_what_is_learned_is_planned_bought_once_and_answers_other_pubs_with_equal_layers(
    mitigation, sampling, store
):
    planned = (
        opened(mitigation)
        .preflight({"c": (CIRCUIT, OBSERVABLES)}, len(VALUES), mitigations=[mitigation])
        .levels[0]
    )
    asked(opened(mitigation), store)
    found = store.find()
    assert sum(one.executions for one in found) == planned.executions
    assert planned.calibration_executions == 54 * 2 * 512
    learning = [one for one in found if one.executions == 54 * 2 * 512]
    assert (len(learning), {one.state for one in found}) == (1, {State.ANSWERED})
    assert len(found) == planned.jobs == 3
    asked(opened("pec(model=learned,samples=4,randomizations=2)"), store, repeated_layers=2)
    again = [one for one in store.find() if one.executions == 54 * 2 * 512]
    assert [one.id for one in again] == [one.id for one in learning]
    assert len(sampling.jobs) == len(store.find())
    assert verify(store) == sum(one.rows for one in store.find())


def test_a_process_killed_after_the_learning_job_was_accepted_does_not_buy_it_again(
    server, store, tmp_path
):
    store.close()
    died = subprocess.run(
        [sys.executable, "-m", "tests.integration.dying_learner", str(tmp_path / "jobs")],
        cwd=ROOT, env={**os.environ, **server.environment(), "OMP_NUM_THREADS": "1"},
        timeout=600, check=False,
    )  # fmt: skip
    assert died.returncode == -9
    assert len(server.jobs) == 1
    again = JobStore(tmp_path / "jobs")
    assert [one.state for one in again.find()] == [State.POSTING]
    asked(opened("pea(samples=4,randomizations=2)"), again)
    assert len(server.jobs) == len(again.find()) == 3
    again.close()


def test_a_budget_below_the_learning_buys_nothing(server, store):
    recording = Recording(policy=PATIENCE, service=SERVICE, budget=Budget(executions=50_000))
    stack = recorded_backend(opened("pea(samples=4,randomizations=2)"), store, recording)
    with pytest.raises(BudgetError, match="50,000"):
        stack.estimator().run([(CIRCUIT, OBSERVABLES, VALUES)])
    with pytest.raises(MitigationError, match="55,296 executions; learning=1,000"):
        asked(opened("pea(learning=1000,randomizations=2)"), store)
    assert len(server.jobs) == 0


def test_detached_it_ends_with_the_learning_job_and_goes_on_from_there(server, store):
    recording = Recording(policy=PATIENCE, service=SERVICE, detach=True)
    while True:
        stack = recorded_backend(opened("pea(samples=4,randomizations=2)"), store, recording)
        try:
            stack.estimator().run([(CIRCUIT, OBSERVABLES, VALUES)]).result()
        except JobPending:
            continue
        break
    assert len(server.jobs) == 3


def test_another_calibration_is_learned_anew(server, store, monkeypatch):
    asked(opened("pea(samples=4,randomizations=2)"), store)
    monkeypatch.setattr("qvlm_qiskit.backends.devices.ibm.calibration_date", lambda _: "2030-01-01")
    asked(opened("pea(samples=4,randomizations=2)"), store)
    assert sum(one.executions == 54 * 2 * 512 for one in store.find()) == 2


def test_calibrated_pec_and_no_learning_budget_are_refused_before_anything_is_sent(server):
    with pytest.raises(MitigationError, match=r"offers pec\(model=learned\)"):
        opened("pec")
    with pytest.raises(MitigationError, match="needs a learning budget"):
        opened("pea(learning=0)")
    assert len(server.jobs) == 0


@pytest.mark.slow
def test_learned_from_sampled_results_the_error_gets_smaller(tmp_path):
    stack, _ = learning_server()
    with stack:
        ledger = JobStore(tmp_path / "jobs")
        exact = open_backend("statevector").estimator()
        expected = exact.run([(CIRCUIT, OBSERVABLES, VALUES)]).result()[0].data.evs
        errors = {
            name: np.sqrt(np.mean((asked(opened(name, 20_000), ledger) - expected) ** 2))
            for name in ("readout", "readout+pec(model=learned)", "readout+pea")
        }
        ledger.close()
    print(errors)
    assert errors["readout+pec(model=learned)"] < 0.7 * errors["readout"]
    assert errors["readout+pea"] < errors["readout"]
