import json
from dataclasses import replace

import pytest

from qvlm_qiskit.errors import UnknownNameError
from qvlm_qiskit.inference import (
    SubmitOptions,
    cancel_evaluation,
    continue_evaluation,
    export_run,
    start_evaluation,
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


def test_metrics_are_bought_with_the_answers_and_kept(tiny_run, noisy, store, tmp_path):
    names = ("exact-match", "rouge-l", "perplexity")
    options = replace(SMALL, metrics=names, caption_tokenizer="port", max_new_tokens=3)
    done = submit_evaluation(tiny_run, noisy, store, options)
    assert done.request["options"]["metrics"] == list(names)
    assert [one["metric"] for one in done.result["metrics"]] == list(names)
    assert all(one["low"] <= one["value"] <= one["high"] for one in done.result["metrics"])
    assert done.result["costs"]["jobs"] == done.request["expected"]["jobs"]
    assert max(len(text.split()) for text in texts(done)) <= 3
    export_run(store, done.id, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == done.result


def test_records_without_metrics_are_those_of_earlier_releases(tiny_run, noisy, store):
    begun = start_evaluation(tiny_run, noisy, store, SMALL)
    later = {"metrics", "caption_tokenizer", "max_new_tokens"}
    assert later.isdisjoint(begun.request["options"])
    with pytest.raises(UnknownNameError, match="did you mean 'bleu'"):
        SubmitOptions(metrics=("blue",))


@pytest.mark.slow
def test_a_run_gets_the_rows_that_it_shares_with_a_cancelled_one(tiny_run, noisy, store):
    first, _ = started(tiny_run, noisy, store)
    second = submit_evaluation(tiny_run, noisy, store, SMALL, detach=True)
    cancel_evaluation(store, first.id)
    done = continue_evaluation(store, second.id)
    assert done.state == "done"
    assert done.result["costs"]["rows_saved"] > 0
