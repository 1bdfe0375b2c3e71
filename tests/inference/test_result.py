import pytest

from qvlm_qiskit.inference import (
    cancel_evaluation,
    continue_evaluation,
    submit_evaluation,
)
from qvlm_qiskit.jobs.costs.usage import usage
from qvlm_qiskit.jobs.verify import verify
from tests.inference.small import SMALL, started, texts


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


@pytest.mark.slow
def test_a_run_gets_the_rows_that_it_shares_with_a_cancelled_one(tiny_run, noisy, store):
    first, _ = started(tiny_run, noisy, store)
    second = submit_evaluation(tiny_run, noisy, store, SMALL, detach=True)
    cancel_evaluation(store, first.id)
    done = continue_evaluation(store, second.id)
    assert done.state == "done"
    assert done.result["costs"]["rows_saved"] > 0
