"""What is bought again, and what is not, where a job failed or a budget is too small."""

import numpy as np
import pytest
from qiskit.primitives import StatevectorEstimator

from qvlm_qiskit.errors import BudgetError, JobFailedError
from qvlm_qiskit.jobs import Budget, Recorded, State, Worker
from qvlm_qiskit.jobs.ledger.runs import retry
from tests.jobs.conftest import PATIENCE
from tests.jobs.unreliable import Unreliable


def test_a_failed_job_is_said_and_only_an_explicit_retry_sends_again(buy, store):
    service = Unreliable(final="failed")
    for _ in range(2):
        with pytest.raises(JobFailedError, match="the machine broke"):
            buy(service, [0.1, 0.2])
    assert len(service.posts) == 1
    (failed,) = store.find()
    assert (failed.state, failed.reason_code) == (State.FAILED, 1305)
    new = retry(store, failed)
    service.final = "completed"
    np.testing.assert_allclose(buy(service, [0.1, 0.2]), np.cos([0.1, 0.2]))
    assert [tag for tag, *_ in service.posts] == [failed.tag, new.tag]
    assert store.submission(new.id).previous == failed.id
    assert store.submission(failed.id).state is State.FAILED


def test_rows_of_a_failed_job_and_new_rows_are_not_mixed_up(buy, store):
    broken = Unreliable(final="failed")
    with pytest.raises(JobFailedError):
        buy(broken, [0.1])
    service = Unreliable(server=broken.server)
    with pytest.raises(JobFailedError):
        buy(service, [0.1, 0.2])
    np.testing.assert_allclose(buy(service, [0.2]), np.cos([0.2]))
    assert sum(1 for s in store.find() if s.state is State.ANSWERED) == 1


@pytest.mark.parametrize(
    ("budget", "match"),
    [(Budget(executions=99), "executions"), (Budget(seconds=1e-6), "QPU s")],
)
def test_a_refused_budget_sends_nothing_and_changes_nothing(budget, match, buy, store):
    service = Unreliable()
    with pytest.raises(BudgetError, match=match):
        buy(service, [0.1], budget=budget, run="r-1")
    (submission,) = store.find()
    assert (submission.state, submission.posts, submission.server_id) == (State.INTENDED, 0, None)
    assert service.posts == [] and service.server.jobs() == []
    assert [event.state for event in store.history(submission.id)] == ["intended"]
    np.testing.assert_allclose(buy(service, [0.1], run="r-1"), np.cos([0.1]))
    assert store.count_jobs() == 1


def test_a_device_that_does_not_state_its_work_buys_nothing_that_costs(circuit, store):
    service = Unreliable()
    worker = Worker(store, service, Budget(), PATIENCE, "job")
    context = {"machine": service.machine}
    estimator = Recorded(StatevectorEstimator(), store, context, worker, rep_delay_seconds=0.0)
    with pytest.raises(BudgetError, match="nothing says beforehand"):
        estimator.run([(circuit, "Z", [[0.1], [0.2]], 0.1)]).result()
    assert service.posts == []
