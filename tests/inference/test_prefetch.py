import dataclasses

import pytest

from qvlm_qiskit.inference import (
    plan_evaluation,
    submit_evaluation,
)
from tests.inference.small import SMALL


def test_prefetch_buys_in_two_jobs_that_wait_together(tiny_run, noisy, store):
    options = dataclasses.replace(SMALL, prefetch=True)
    plan = plan_evaluation(tiny_run, noisy, options)
    assert plan.waits["with"] == 1 < plan.waits["without"]
    assert plan.chosen.rows > plan.without_prefetch.rows
    found = submit_evaluation(tiny_run, noisy, store, options)
    assert found.result["costs"]["jobs"] == store.count_jobs() == plan.chosen.jobs == 2
    assert found.result["costs"]["rows"] == plan.chosen.rows


@pytest.mark.slow
def test_prefetch_saves_the_words_of_other_questions_too(tiny_run, noisy, store):
    submit_evaluation(tiny_run, noisy, store, dataclasses.replace(SMALL, prefetch=True))
    before = store.count_jobs()
    submit_evaluation(tiny_run, noisy, store, SMALL)
    assert store.count_jobs() == before
