import dataclasses
import json

import pytest
from PIL import Image

from qvlm_qiskit import __version__
from qvlm_qiskit.data import DIGIT_QUESTIONS, DigitCanvases
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation import evaluate, majority_baseline, shuffle_images
from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.verify import verify
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies import run_demo

BLOCKS = ["vision.embeddings.patch_embeddings.qcnn.core.layer", "paqm.core.layer"]


@pytest.fixture(scope="module")
def results(demo):
    """``results.json`` as a stranger reads it."""

    def refuse(text):
        raise AssertionError(f"{text} in results.json")

    text = (demo[0] / "results.json").read_text(encoding="utf-8")
    return json.loads(text, parse_constant=refuse)


def accuracies(value, path="results"):
    """Every record below a value that states an accuracy, with its path."""
    if isinstance(value, dict):
        if "accuracy" in value:
            yield path, value
        for key, item in value.items():
            yield from accuracies(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from accuracies(item, f"{path}[{index}]")


def test_the_demo_leaves_a_run_folder_and_nothing_beside_it(demo, tree):
    out, _ = demo
    assert [path.name for path in out.parent.iterdir()] == ["run"]
    Run.open(out)
    found = {name for name in tree(out) if not name.startswith(("ledger/", "model/"))}
    pictures = {f"samples/{index}.png" for index in range(6)}
    whole = {"run.json", "history.json", "results.json", "report.html", "samples/", *pictures}
    assert found == whole


def test_the_results_are_those_that_were_returned(demo, results):
    assert results == json.loads(json.dumps(demo[1], allow_nan=False))


def test_the_results_say_what_they_are(results, demo_options):
    assert (results["format"], results["version"]) == ("qvlm-results", 1)
    assert results["versions"]["qvlm-qiskit"] == __version__
    assert results["created_utc"].endswith("+00:00")
    assert results["options"] == json.loads(json.dumps(dataclasses.asdict(demo_options())))
    assert results["training"]["options"] == results["options"]["training"]
    assert results["seconds"] > 0
    assert results["peak_memory_mib"] > 0


def test_every_promised_stage_is_there(results):
    assert set(results["noisy"]) == {"raw", "mitigated"}
    assert set(results["baselines"]) == {"majority", "shuffled"}
    assert set(results["differences"]) == {"raw - exact", "mitigated - exact", "mitigated - raw"}
    assert [c["block"] for c in results["circuits"]] == BLOCKS
    assert [point["scale"] for point in results["noise_sweep"]] == [0.0, 2.0]
    assert len(results["examples"]) == 6


def test_every_accuracy_lies_in_its_interval(results):
    found = dict(accuracies(results))
    assert len(found) >= 8 * 4
    for path, record in found.items():
        assert 0 <= record["low"] <= record["accuracy"] <= record["high"] <= 1, path
        assert record["accuracy"] == record["correct"] / record["total"], path
        for part in record.get("by_kind", {}).values():
            assert part["total"] <= record["total"]
        if "by_kind" in record:
            assert set(record["by_kind"]) <= set(DIGIT_QUESTIONS)
            assert sum(p["total"] for p in record["by_kind"].values()) == record["total"]
            assert sum(p["correct"] for p in record["by_kind"].values()) == record["correct"]


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


def test_the_expectation_errors_are_per_block_and_grow_with_the_noise(results):
    quiet, loud = results["noise_sweep"]
    stages = [results["noisy"]["raw"], results["noisy"]["mitigated"], quiet, loud]
    for stage in stages:
        assert [e["block"] for e in stage["expectations"]] == BLOCKS
        assert all(0 < e["rows"] <= 12 and e["rms"] > 0 for e in stage["expectations"])
    assert sum(e["bias"] for e in loud["expectations"]) < sum(
        e["bias"] for e in quiet["expectations"]
    )


def test_the_circuits_are_those_of_the_model_on_the_device(demo, results):
    layers = Run.open(demo[0]).model().quantum_layers
    for circuit in results["circuits"]:
        network = layers[circuit["block"]].neural_network
        assert circuit["inputs"] == network.num_inputs
        assert circuit["weights"] == network.num_weights
        assert circuit["qubits"] == circuit["observables"] == network.circuit.num_qubits
        assert len(set(circuit["physical_qubits"])) >= circuit["qubits"]
        assert set(circuit["physical_qubits"]) <= set(range(5))
        assert circuit["two_qubit_gates"] > 0
        assert circuit["depth"] > 0
        assert 0 < circuit["estimated_success_probability"] < 1


def test_the_runtime_answers_are_in_the_ledger(demo, results):
    runtime = results["runtime"]
    store = JobStore(demo[0] / "ledger", create=False)
    assert runtime["jobs"] == store.count_jobs() > 0
    assert runtime["new_rows"] == runtime["stored_rows"] == verify(store) > 0


def test_the_examples_are_questions_of_the_test_set_with_every_machines_answer(demo, results):
    samples = list(DigitCanvases("test", 20, 0))
    run = Run.open(demo[0])
    exact = evaluate(run.model(), run.processor(), samples)
    for index, example in enumerate(results["examples"]):
        sample = samples[index]
        assert example["index"] == index
        assert (example["question"], example["expected"]) == (sample.question, sample.answer)
        assert set(example["answers"]) == {"exact", "raw", "mitigated"}
        assert example["answers"]["exact"] == exact.answers[index]
        with Image.open(demo[0] / "samples" / f"{index}.png") as image:
            assert image.tobytes() == sample.image.tobytes()


def test_the_trained_weights_answer_as_the_results_say(demo, results):
    run = Run.open(demo[0])
    found = evaluate(run.model(), run.processor(), list(DigitCanvases("test", 20, run.seed)))
    assert found.as_dict()["by_kind"] == results["exact"]["by_kind"]


def test_the_baselines_are_those_of_the_evaluation(demo, results):
    run, samples = Run.open(demo[0]), list(DigitCanvases("test", 20, 0))
    majority = majority_baseline(DigitCanvases("train", 200, 0), samples)
    assert results["baselines"]["majority"] == majority.as_dict()
    shuffled = evaluate(run.model(), run.processor(), shuffle_images(samples, run.seed))
    assert results["baselines"]["shuffled"] == shuffled.as_dict()


@pytest.fixture(scope="module")
def again(demo_options, tmp_path_factory, watch):
    """The same demo once more, in the place of an old folder: folder, results, progress."""
    out, seen = tmp_path_factory.mktemp("again") / "run", []
    out.mkdir()
    (out / "old.txt").write_text("old")
    results = run_demo(demo_options(), out, overwrite=True, track=watch(seen))
    return out, results, seen


def numbers(value):
    """Results without what differs from run to run."""
    # the store holds dates, and its compressed size depends on them
    skipped = {"seconds", "seconds_from_store", "created_utc", "peak_memory_mib", "stored_bytes"}
    if isinstance(value, dict):
        return {key: numbers(item) for key, item in value.items() if key not in skipped}
    return [numbers(item) for item in value] if isinstance(value, list) else value


def test_the_same_seed_gives_the_same_numbers(again, results):
    assert numbers(json.loads(json.dumps(again[1]))) == numbers(results)


def test_overwriting_replaces_the_whole_folder(again):
    out = again[0]
    assert not (out / "old.txt").exists()
    assert (out / "report.html").is_file()
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_every_stage_reports_its_progress_to_the_end(again):
    assert [(what, total) for what, total, _ in again[2]] == [
        ("training", 60),
        ("exact evaluation", 20),
        ("shuffled images", 20),
        ("noisy device, raw", 10),
        ("noisy device, mitigated", 10),
        ("Runtime inference", 3),
        ("read back from the store", 3),
        ("noise × 0", 10),
        ("noise × 2", 10),
    ]
    assert all(reported[-1] == total for _, total, reported in again[2])


def test_a_folder_that_exists_is_refused_and_kept(demo_options, run_copy, tree, watch):
    before, seen = tree(run_copy.parent), []
    with pytest.raises(InputError, match="--overwrite"):
        run_demo(demo_options(), run_copy, track=watch(seen))
    assert seen == []
    assert tree(run_copy.parent) == before


@pytest.mark.parametrize("stage", ["exact evaluation", "noise × 0"], ids=["early", "late"])
def test_a_demo_that_breaks_off_leaves_no_half_a_demo(
    short_demo_options, tmp_path, tree, stop_at, stopped, stage
):
    with pytest.raises(stopped):
        run_demo(short_demo_options(), tmp_path / "run", track=stop_at(stage, 1))
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("stage", ["exact evaluation", "noise × 0"], ids=["early", "late"])
def test_overwriting_keeps_the_old_demo_until_the_new_one_is_whole(
    short_demo_options, run_copy, tree, stop_at, stopped, stage
):
    before = tree(run_copy.parent)
    with pytest.raises(stopped):
        run_demo(short_demo_options(), run_copy, overwrite=True, track=stop_at(stage, 1))
    assert tree(run_copy.parent) == before


def test_a_model_without_circuits_has_a_demo_too(short_demo_options, tmp_path):
    plain = dataclasses.replace(short_demo_options().training, blocks="none")
    results = run_demo(short_demo_options(training=plain), tmp_path / "run")
    assert results["circuits"] == []
    assert results["runtime"]["new_rows"] == 0
