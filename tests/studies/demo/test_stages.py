import pytest

from qvlm_qiskit.data import DigitCanvases
from qvlm_qiskit.evaluation import evaluate, majority_baseline, shuffle_images
from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.verify import verify
from qvlm_qiskit.runs import Run
from tests.studies.demo.blocks import BLOCKS


def test_every_promised_stage_is_there(results):
    assert set(results["noisy"]) == {"raw", "mitigated"}
    assert set(results["baselines"]) == {"majority", "shuffled"}
    assert set(results["differences"]) == {"raw - exact", "mitigated - exact", "mitigated - raw"}
    assert [c["block"] for c in results["circuits"]] == BLOCKS
    assert [point["scale"] for point in results["noise_sweep"]] == [0.0, 2.0]
    assert len(results["examples"]) == 6


def test_every_stage_asked_its_number_of_questions_on_its_machine(results):
    raw, mitigated = results["noisy"]["raw"], results["noisy"]["mitigated"]
    stages = [results["exact"], raw, mitigated, results["runtime"], *results["noise_sweep"]]
    assert [stage["total"] for stage in stages] == [20, 10, 10, 3, 10, 10]
    assert [stage["backend"]["kind"] for stage in stages] == [
        "exact",
        "simulated shots",
        "simulated shots",
        "local runtime",
        "simulated shots",
        "simulated shots",
    ]
    assert [stage["backend"]["mitigation"] for stage in stages] == [
        "none",
        "none",
        "readout+zne",
        "resilience-1",
        "none",
        "none",
    ]
    assert {stage["backend"]["shots"] for stage in stages[1:]} == {100}
    assert {baseline["total"] for baseline in results["baselines"].values()} == {20}


def test_the_differences_are_those_of_the_accuracies(results):
    raw, mitigated = results["noisy"]["raw"], results["noisy"]["mitigated"]
    difference = results["differences"]["mitigated - raw"]["difference"]
    assert difference == pytest.approx(mitigated["accuracy"] - raw["accuracy"])
    for record in results["differences"].values():
        assert -1 <= record["low"] <= record["difference"] <= record["high"] <= 1


def test_the_runtime_answers_are_in_the_ledger(demo, results):
    runtime = results["runtime"]
    store = JobStore(demo[0] / "ledger", create=False)
    assert runtime["jobs"] == store.count_jobs() > 0
    assert runtime["new_rows"] == runtime["stored_rows"] == verify(store) > 0


def test_the_baselines_are_those_of_the_evaluation(demo, results):
    run, samples = Run.open(demo[0]), list(DigitCanvases("test", 20, 0))
    majority = majority_baseline(DigitCanvases("train", 200, 0), samples)
    assert results["baselines"]["majority"] == majority.as_dict()
    shuffled = evaluate(run.model(), run.processor(), shuffle_images(samples, run.seed))
    assert results["baselines"]["shuffled"] == shuffled.as_dict()
