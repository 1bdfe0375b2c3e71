import json
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file

from qvlm_qiskit.backends import list_backends
from qvlm_qiskit.data import DIGIT_QUESTIONS, DigitCanvases
from qvlm_qiskit.evaluation import evaluate
from qvlm_qiskit.runs import Run
from qvlm_qiskit.training import TrainingOptions, train

TINY = ("--recipe", "tiny", "--steps", "4", "--train-samples", "32", "--batch-size", "8")
QUESTION = "which digit is larger?"


def widest(text):
    return max(map(len, text.splitlines()))


def cells(text):
    """Rows of a printed table, joined over their continuation lines by the first column."""
    rows = []
    for line in text.splitlines():
        if line.startswith("│"):
            row = [cell.strip() for cell in line.strip("│").split("│")]
            if row[0] or not rows:
                rows.append(row)
            else:
                rows[-1] = [f"{a} {b}".strip() for a, b in zip(rows[-1], row, strict=True)]
    return rows


def bare(record):
    return {key: value for key, value in record.items() if key != "seconds"}


def test_train_leaves_a_run_and_says_so_on_stderr(qvlm, place):
    found = qvlm("train", "--out", "new", *TINY, "--seed", "3")
    assert (found.status, found.out) == (0, "")
    assert "training" in found.err
    assert re.search(r"trained 13,\d\d\d parameters \(14 circuit angles\) in \d+ s: new", found.err)
    options = Run.open(place / "new").info["options"]
    assert (options["recipe"], options["steps"], options["seed"]) == ("tiny", 4, 3)
    assert (options["train_samples"], options["batch_size"]) == (32, 8)
    assert (options["learning_rate"], options["blocks"]) == (1e-3, "quantum")


def test_train_under_noise_stores_where_it_was_trained(qvlm, place):
    noise = ("--backend", "noisy:depolarizing(0.05)", "--noise-scale", "0.5")
    found = qvlm("train", "--out", "noisy", *TINY, *noise)
    assert (found.status, found.out) == (0, "")
    about = Run.open(place / "noisy").info["backend"]
    assert (about["name"], about["kind"]) == ("noisy:depolarizing(0.05)", "exact")
    assert about["device"]["noise_scale"] == 0.5
    qvlm("train", "--out", "clean", *TINY)
    ours, theirs = (load_file(place / p / "model/model.safetensors") for p in ("noisy", "clean"))
    assert not all(torch.equal(ours[name], theirs[name]) for name in theirs)
    exact = ("--backend", "noisy:depolarizing(0.05)", "--precision", "0", "--limit", "5")
    assert qvlm("evaluate", "noisy", *exact).status == 0


def test_train_is_the_function_of_the_same_name(qvlm, place):
    qvlm("train", "--out", "new", *TINY, "--blocks", "frozen", "--learning-rate", "0.01")
    options = TrainingOptions(
        recipe="tiny", steps=4, train_samples=32, batch_size=8, blocks="frozen", learning_rate=0.01
    )
    again = train(options, place / "again")
    ours, theirs = (load_file(p / "model/model.safetensors") for p in (place / "new", again.path))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_train_overwrites_when_asked(qvlm, place):
    (place / "folder" / "old").write_text("old")
    assert qvlm("train", "--out", "folder", *TINY, "--overwrite").status == 0
    assert not (place / "folder" / "old").exists()
    Run.open(place / "folder")


def test_train_goes_on_with_an_interrupted_training(qvlm, place, stop_at, stopped):
    options = TrainingOptions(
        recipe="tiny", steps=6, train_samples=16, batch_size=4, checkpoint_every=2
    )
    with pytest.raises(stopped):
        train(options, place / "new", track=stop_at("training", 5))
    # the command line has no option for the distance of checkpoints, and its 250 steps take long
    record = place / "new.partial" / "options.json"
    record.write_text(
        record.read_text().replace('"checkpoint_every": 2', '"checkpoint_every": 250')
    )
    words = ("train", "--out", "new", "--recipe", "tiny", "--steps", "6")
    words += ("--train-samples", "16", "--batch-size", "4", "--resume")
    refused = qvlm(*words, "--seed", "1")
    assert refused.status == 2
    assert refused.err == "qvlm: the training at new.partial was started with seed=0\n"
    assert qvlm(*words).status == 0
    assert Run.open(place / "new").history()["step"] == [1, 2, 3, 4, 5, 6]
    assert not (place / "new.partial").exists()


def test_evaluate_prints_accuracies_with_intervals(qvlm, tiny_run):
    found = qvlm("evaluate", "run", "--limit", "20")
    assert found.status == 0
    assert "20/20" in found.err
    assert widest(found.out) <= 80
    samples = list(DigitCanvases("test", 20, tiny_run.seed))
    expected = evaluate(tiny_run.model(), tiny_run.processor(), samples)
    accuracies = {"all questions": expected.accuracy, **expected.by_kind}
    assert cells(found.out) == [
        [
            label,
            f"{accuracy.correct}/{accuracy.total}",
            f"{accuracy.value:.1%}",
            f"{accuracy.interval[0]:.1%} – {accuracy.interval[1]:.1%}",
        ]
        for label, accuracy in accuracies.items()
    ]
    assert found.out.splitlines()[0].strip() == "run on statevector (exact)"


def test_evaluate_says_on_which_machine(qvlm):
    words = ("--backend", "noisy:fake_manila", "--shots", "50", "--mitigation", "readout")
    found = qvlm("evaluate", "run", "--limit", "2", *words)
    title = found.out.partition("┏")[0]
    assert " ".join(title.split()) == (
        "run on noisy:fake_manila (simulated shots, 50 shots, readout)"
    )
    assert widest(found.out) <= 80


def test_evaluate_as_json(qvlm, tiny_run):
    found = qvlm("evaluate", "run", "--limit", "10", "--json")
    record = json.loads(found.out)
    samples = list(DigitCanvases("test", 10, tiny_run.seed))
    expected = evaluate(tiny_run.model(), tiny_run.processor(), samples).as_dict()
    assert {key: record[key] for key in expected} == expected
    assert set(record) == {*expected, "backend", "seconds"}
    assert record["low"] <= record["accuracy"] <= record["high"]
    assert record["backend"]["name"] == "statevector"


@pytest.mark.parametrize(
    ("words", "about"),
    [
        ("--backend aer", {"kind": "exact", "shots": None}),
        ("--backend aer --shots 40", {"kind": "simulated shots", "shots": 40}),
        ("--backend aer --precision 0.125", {"kind": "simulated shots", "precision": 0.125}),
        (
            "--backend noisy:depolarizing(0.01) --noise-scale 2 --optimization-level 1",
            {"optimization_level": 1},
        ),
        ("--backend fake_manila --mitigation resilience-1 --shots 30", {"kind": "local runtime"}),
        ("--backend noisy:fake_manila --mitigation readout+zne --shots 9", {"shots": 9}),
        ("--backend noisy:fake_manila --method aer --max-age-days 1e5 --shots 9", {"shots": 9}),
    ],
)
def test_evaluate_takes_the_options_of_a_backend(qvlm, words, about):
    found = qvlm("evaluate", "run", "--limit", "2", "--json", *words.split())
    assert found.status == 0, found.err
    backend = json.loads(found.out)["backend"]
    assert backend["name"] == words.split()[1]
    assert {key: backend[key] for key in about} == about
    scale = 2.0 if "--noise-scale" in words else 1.0
    assert backend["device"].get("noise_scale", 1.0) == scale
    if words.startswith("--backend noisy:"):
        assert backend["device"]["method"] == ("aer" if "--method" in words else "auto")
    assert backend["seed"] == 0


def test_evaluate_prints_what_auto_tried_and_why_it_chose(qvlm):
    words = ("--backend", "noisy:fake_manila", "--shots", "100", "--limit", "2")
    techniques = "techniques=none,readout,learned-zne"
    found = qvlm(
        "evaluate", "run", *words, "--mitigation", f"auto(circuits=4,budget=100000,{techniques})"
    )
    assert found.status == 0, found.err
    assert "auto: " in found.out
    tried = [row[0] for row in cells(found.out)]
    assert {"none", "readout", "learned-zne"} <= set(tried), found.out


def test_evaluate_is_repeatable_and_follows_its_seed(qvlm):
    def answer(*seed):
        words = ("--backend", "noisy:fake_manila", "--shots", "5", "--json")
        return bare(json.loads(qvlm("evaluate", "run", "--limit", "10", *words, *seed).out))

    first = answer()
    assert answer() == answer("--seed", "0") == first
    assert answer("--seed", "7")["backend"]["seed"] == 7


def test_exact_machines_agree(qvlm):
    records = [
        json.loads(qvlm("evaluate", "run", "--limit", "10", "--json", "--backend", name).out)
        for name in ("statevector", "aer")
    ]
    assert records[0]["by_kind"] == records[1]["by_kind"]


@pytest.mark.parametrize("kind", list(DIGIT_QUESTIONS))
def test_ask_answers_every_question_it_was_trained_on(qvlm, kind):
    found = qvlm("ask", "image.png", "--question", DIGIT_QUESTIONS[kind][0], "--run", "run")
    assert (found.status, found.err) == (0, "")
    assert found.out.endswith("\n")
    assert found.out.count("\n") == 1


def test_ask_and_caption_answer_like_the_model(qvlm, place, tiny_run):
    samples = list(DigitCanvases("test", 10, 0))
    expected = evaluate(tiny_run.model(), tiny_run.processor(), samples).answers
    for sample, answer in zip(samples, expected, strict=True):
        sample.image.save(place / "canvas.png")
        words = ("ask", "canvas.png", "--question", sample.question, "--run", "run")
        if sample.kind == "caption":
            words = ("caption", "canvas.png", "--run", "run")
        assert qvlm(*words).out == f"{answer}\n"


def test_ask_as_json(qvlm):
    words = ("--question", QUESTION, "--run", "run", "--json")
    plain = qvlm("ask", "image.png", *words[:-1])
    record = json.loads(qvlm("ask", "image.png", *words).out)
    assert set(record) == {"question", "answer", "backend"}
    assert (record["question"], record["answer"]) == (QUESTION, plain.out.strip())
    assert record["backend"]["kind"] == "exact"


def test_caption_is_the_question_for_a_description(qvlm):
    captioned = json.loads(qvlm("caption", "image.png", "--run", "run", "--json").out)
    question = DIGIT_QUESTIONS["caption"][0]
    words = ("--question", question, "--run", "run", "--json")
    assert captioned == json.loads(qvlm("ask", "image.png", *words).out)
    assert captioned["question"] == question


def test_ask_runs_on_a_noisy_machine(qvlm):
    words = ("--backend", "noisy:fake_manila", "--shots", "20", "--mitigation", "zne")
    found = qvlm("ask", "image.png", "--question", QUESTION, "--run", "run", *words, "--json")
    about = json.loads(found.out)["backend"]
    assert (about["name"], about["shots"], about["mitigation"]) == ("noisy:fake_manila", 20, "zne")
    again = qvlm("ask", "image.png", "--question", QUESTION, "--run", "run", *words, "--json")
    assert again.out == found.out


def test_the_default_run_is_the_demos(qvlm, place, tiny_run):
    shutil.copytree(tiny_run.path, place / "runs" / "demo")
    assert qvlm("caption", "image.png") == qvlm("caption", "image.png", "--run", "run")


def test_the_list_of_backends_fits_a_terminal_and_keeps_every_name_whole(qvlm):
    found = qvlm("backends", "list")
    assert (found.status, found.err) == (0, "")
    assert widest(found.out) <= 80
    rows = cells(found.out)
    assert [row[0] for row in rows] == [row.name for row in list_backends()]
    for shown, row in zip(rows, list_backends(), strict=True):
        assert shown[1:] == [row.kind, "" if row.qubits is None else str(row.qubits), row.what]
    assert qvlm("backends") == found


def test_the_list_of_backends_as_json(qvlm):
    found = qvlm("backends", "list", "--json")
    assert json.loads(found.out) == [
        {"name": r.name, "kind": r.kind, "qubits": r.qubits, "what": r.what}
        for r in list_backends()
    ]
    assert qvlm("backends", "--json") == found


def test_json_before_the_command_is_not_overlooked(qvlm):
    """Either it counts or it is refused."""
    for command in (("list",), ("show", "aer")):
        found = qvlm("backends", "--json", *command)
        if found.status == 0:
            json.loads(found.out)


@pytest.mark.parametrize(
    "name", ["statevector", "aer", "fake_manila", "noisy:fake_manila", "noisy:depolarizing(0.01)"]
)
def test_showing_a_backend(qvlm, name):
    found = qvlm("backends", "show", name)
    assert (found.status, found.err) == (0, "")
    assert widest(found.out) <= 80
    shown = dict(cells(found.out))
    about = json.loads(qvlm("backends", "show", name, "--json").out)
    assert (shown["name"], shown["kind"]) == (about["name"], about["kind"]) == (name, about["kind"])
    assert shown["num_qubits"] == str(about["num_qubits"])
    assert shown["versions.qiskit"] == about["versions"]["qiskit"]
    if about["noise"]:
        assert shown["noise.name"] == about["noise"]["name"]
    assert "None" not in found.out


def test_a_narrow_terminal_is_respected(qvlm, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert widest(qvlm("evaluate", "run", "--limit", "5").out) <= 60


def test_an_interrupt_is_one_line_and_status_130(qvlm, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("qvlm_qiskit.backends.list_backends", interrupted)
    found = qvlm("backends")
    assert (found.status, found.out, found.err) == (130, "", "qvlm: interrupted\n")


@pytest.mark.slow
@pytest.mark.parametrize("device", ["fake_belem", "fake_manila"])
def test_the_demo_of_the_command_line(qvlm, place, device):
    """The small recipe and all of its training data: the sizes that have options are small."""
    words = ("--steps", "2", "--test-samples", "6", "--noisy-samples", "3")
    words += ("--runtime-samples", "2", "--device", device, "--shots", "50")
    found = qvlm("demo", "--out", "new", *words, "--mitigation", "readout", "--seed", "1")
    assert found.status == 0, found.err
    assert widest(found.out) <= 80
    assert [row[1].partition("/")[2] for row in cells(found.out)] == ["6", "6", "6", "3", "3", "2"]
    assert "new/report.html" in found.err
    results = json.loads((place / "new" / "results.json").read_text(encoding="utf-8"))
    assert results["options"]["training"]["seed"] == 1
    assert (place / "new" / "report.html").is_file()
    assert json.loads(qvlm("evaluate", "new", "--limit", "2", "--json").out)["total"] == 2
    words = ("--backend", f"noisy:{device}", "--strengths", "0", "--limit", "2", "--rows", "2")
    studied = qvlm("study", "noise", "new", "--out", "grid", *words)
    assert studied.status == 0, studied.err
    assert "grid/report.html, new/report.html" in " ".join(studied.err.split())
    assert "Study of noise" in (place / "new" / "report.html").read_text(encoding="utf-8")


def test_a_report_that_can_not_be_written_again_is_said_and_left_alone(qvlm, place, run_copy):
    (run_copy / "results.json").write_text('{"format": "qvlm-results", "version": 1}', "utf-8")
    words = ("--backend", "noisy:fake_manila", "--strengths", "0", "--limit", "2", "--rows", "1")
    found = qvlm("study", "noise", run_copy, "--out", "grid", *words)
    assert found.status == 0, found.err
    assert "report gets no section: " in found.err and "older release" in found.err
    assert not (run_copy / "noise_study.json").exists()


def test_study_noise_prints_its_table_and_goes_on(qvlm, place):
    words = (
        "study", "noise", "run", "--out", "grid", "--backend", "noisy:fake_manila",
        "--strengths", "0,2", "--limit", "4", "--rows", "2", "--shots", "20",
    )  # fmt: skip
    found = qvlm(*words)
    assert found.status == 0, found.err
    assert "trained exactly" in found.out
    assert {"report.html", "rows.csv", "rows.jsonl"} <= {p.name for p in (place / "grid").iterdir()}
    again = qvlm(*words, "--json")
    assert [p["strength"] for p in json.loads(again.out)["points"]] == [0, 2]
