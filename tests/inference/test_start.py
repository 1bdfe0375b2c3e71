"""What a submission asks for, buys and refuses."""

import dataclasses

import pytest

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import (
    BackendError,
    BudgetError,
    InputError,
)
from qvlm_qiskit.evaluation import evaluate
from qvlm_qiskit.inference import (
    SubmitOptions,
    submit_evaluation,
)
from qvlm_qiskit.inference.request import questions
from qvlm_qiskit.jobs import Budget
from qvlm_qiskit.jobs.ledger.runs import list_runs
from tests.inference.small import SMALL, texts


@pytest.mark.parametrize(
    "backend",
    [
        ("statevector", {}),
        pytest.param(("aer", {}), marks=pytest.mark.slow),
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


@pytest.mark.slow
def test_fresh_and_calibration_ask_for_new_samples(tiny_run, noisy, store):
    for changes in ({}, {"fresh": "2"}, {"calibration": "2026-01-01"}):
        before = store.count_rows()
        submit_evaluation(tiny_run, noisy, store, dataclasses.replace(SMALL, **changes))
        assert store.count_rows() > before, changes


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


def test_options_and_machines_that_cannot_be_meant(tiny_run, store):
    with pytest.raises(InputError, match="at least 1 question"):
        SubmitOptions(limit=0)
    with pytest.raises(InputError, match=r"unknown mode 'batches'.*did you mean 'batch'"):
        SubmitOptions(mode="batches")
    device = open_backend("fake_armonk", shots=10)
    with pytest.raises(BackendError, match="can't run it"):
        submit_evaluation(tiny_run, device, store, SMALL)
    assert list_runs(store) == []
