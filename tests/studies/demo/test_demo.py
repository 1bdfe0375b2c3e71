import dataclasses
import json
import shutil

import pytest
from PIL import Image

from qvlm_qiskit import __version__
from qvlm_qiskit.data import DIGIT_QUESTIONS, DigitCanvases
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation import evaluate
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies import run_demo


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


@pytest.fixture(scope="module")
def again(demo, demo_options, tmp_path_factory):
    """The same demo once more, in the place of an old one: folder and results."""
    out = tmp_path_factory.mktemp("again") / "run"
    shutil.copytree(demo[0], out)
    (out / "report.html").write_text("old")
    return out, run_demo(demo_options(), out, overwrite=True)


def numbers(value):
    """Results without what differs from run to run."""
    # the store holds dates, and its compressed size depends on them
    skipped = {"seconds", "seconds_from_store", "created_utc", "peak_memory_mib", "stored_bytes"}
    if isinstance(value, dict):
        return {key: numbers(item) for key, item in value.items() if key not in skipped}
    return [numbers(item) for item in value] if isinstance(value, list) else value


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers(again, results):
    assert numbers(json.loads(json.dumps(again[1]))) == numbers(results)


@pytest.mark.slow
def test_overwriting_replaces_the_whole_folder(again):
    out = again[0]
    assert (out / "report.html").read_text() != "old"
    assert [path.name for path in out.parent.iterdir()] == [out.name]


@pytest.mark.usefixtures("demo")
def test_every_stage_reports_its_progress_to_the_end(demo_progress):
    assert [(what, total) for what, total, _ in demo_progress] == [
        ("encoding samples", 200),
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
    assert all(reported[-1] == total for _, total, reported in demo_progress)


def test_a_folder_that_exists_is_refused_and_kept(demo_options, run_copy, tree, watch):
    before, seen = tree(run_copy.parent), []
    with pytest.raises(InputError, match="--overwrite"):
        run_demo(demo_options(), run_copy, track=watch(seen))
    assert seen == []
    assert tree(run_copy.parent) == before


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["exact evaluation", "noise × 0"], ids=["early", "late"])
def test_a_demo_that_breaks_off_leaves_no_half_a_demo(
    short_demo_options, tmp_path, tree, stop_at, stopped, stage
):
    with pytest.raises(stopped):
        run_demo(short_demo_options(), tmp_path / "run", track=stop_at(stage, 1))
    assert tree(tmp_path) == {}


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["exact evaluation", "noise × 0"], ids=["early", "late"])
def test_overwriting_keeps_the_old_demo_until_the_new_one_is_whole(
    short_demo_options, run_copy, tree, stop_at, stopped, stage
):
    before = tree(run_copy.parent)
    with pytest.raises(stopped):
        run_demo(short_demo_options(), run_copy, overwrite=True, track=stop_at(stage, 1))
    assert tree(run_copy.parent) == before


@pytest.mark.slow
def test_a_model_without_circuits_has_a_demo_too(short_demo_options, tmp_path):
    plain = dataclasses.replace(short_demo_options().training, blocks="none")
    results = run_demo(short_demo_options(training=plain), tmp_path / "run")
    assert results["circuits"] == []
    assert results["runtime"]["new_rows"] == 0
