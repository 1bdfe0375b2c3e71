"""What an evaluation would buy, and that it buys just that."""

import json

import pytest

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.inference import (
    cancel_evaluation,
    continue_evaluation,
    plan_evaluation,
    start_evaluation,
)
from tests.inference.small import SMALL, started


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


@pytest.mark.slow
def test_rows_of_a_dead_job_are_not_known_to_a_plan(tiny_run, noisy, store):
    begun, job = started(tiny_run, noisy, store)
    fresh = plan_evaluation(tiny_run, noisy, SMALL).chosen
    plan = plan_evaluation(tiny_run, noisy, SMALL, store).chosen
    assert (plan.known, plan.jobs) == (job.rows, fresh.jobs - 1)
    cancel_evaluation(store, begun.id)
    assert plan_evaluation(tiny_run, noisy, SMALL, store).chosen == fresh
