"""A whole table of two blocks, as small as it can be."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from qvlm_qiskit.errors import InputError, MitigationError, UnknownNameError
from qvlm_qiskit.evaluation import Exam, evaluate_exam
from qvlm_qiskit.evaluation.loss import exam_loss
from qvlm_qiskit.models.block_classifier import BlockClassifier, BlockClassifierOptions
from qvlm_qiskit.models.cnn import Cnn, CnnOptions
from qvlm_qiskit.recipes import BLOCKS
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.blocks import noise
from qvlm_qiskit.studies.blocks.cells import (
    BASELINES,
    HIDDEN,
    KINDS,
    LEARN,
    NOISE,
    Cell,
    blocks_of,
    cnn_channels,
    model_text,
)
from qvlm_qiskit.studies.blocks.circuits import draws_pictures
from qvlm_qiskit.studies.blocks.options import QUICK, BlocksOptions
from qvlm_qiskit.studies.blocks.printed import tables
from qvlm_qiskit.studies.blocks.study import BlocksStudy
from qvlm_qiskit.studies.blocks.summary import summarise
from qvlm_qiskit.studies.grid_study import run_study

BLOCKS_HERE = ("qkan(inputs=2,outputs=2,repetitions=1)", "token-circuit(repetitions=1)")
SMALL = BlocksOptions(
    blocks=(",".join(BLOCKS_HERE),), seeds=2, steps=2, batch_size=4, train_samples=120, limit=6,
    rounds=1, noisy_limit=2, shots=20, device="fake_manila", width=4,
)  # fmt: skip


READING = replace(
    SMALL, blocks=("token-circuit(repetitions=1)",), seeds=1, reads="question", tokens=4
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return BlocksStudy(SMALL, tmp_path_factory.mktemp("studies") / "blocks")


@pytest.fixture(scope="module")
def results(study):
    return run_study(study)


def test_every_kind_has_a_row_for_each_seed_and_baselines_are_trained_once(results):
    learned = [row for row in results["rows"] if row["task"] == LEARN]
    who = [(block, kind) for block in BLOCKS_HERE for kind in KINDS]
    who += [("", kind) for kind in BASELINES]
    assert [(r["block"], r["kind"], r["seed"]) for r in learned] == [
        (*one, seed) for one in who for seed in (0, 1)
    ]
    assert [one["block"] for one in results["blocks"]] == list(BLOCKS_HERE)


def test_a_row_is_what_the_run_folder_answers(study, results):
    row = next(r for r in results["rows"] if (r["kind"], r["seed"]) == ("frozen", 1))
    (path,) = study.folder.glob("models/*qkan*frozen*seed-1")
    run = Run.open(path)
    model, samples = run.answering_model(), list(run.samples("test", 6))
    found = evaluate_exam(Exam(model, samples))
    assert row["right"] == "".join("01"[right] for right in found.correct)
    known = [one for one in samples if one.answer in model.classes]
    assert row["loss_total"] == len(known)
    assert row["loss"] == pytest.approx(exam_loss(Exam(model, known)))
    assert not model.block.core.edges.weight.requires_grad or row["kind"] == "frozen"


def test_trainings_that_left_nothing_behind_are_counted(study, results):
    learned = [row for row in results["rows"] if row["task"] == LEARN]
    (path,) = study.folder.glob("models/*qkan*frozen*seed-1")
    run = Run.open(path)
    classes = run.answering_model().classes
    answers = [one.answer for one in run.samples("test", 6) if one.answer in classes]
    shares = np.unique(answers, return_counts=True)[1] / len(answers)
    row = next(r for r in learned if (r["kind"], r["seed"]) == ("frozen", 1))
    assert row["entropy"] == pytest.approx(-(shares * np.log(shares)).sum())
    stuck = [{**r, "loss": r["entropy"]} for r in learned]
    gone_on = [{**r, "loss": 0.9 * r["entropy"]} for r in learned[1:]]
    old = [{k: v for k, v in r.items() if k != "entropy"} for r in learned]
    count = len(learned)
    assert summarise(stuck)["guessing"] == {"trainings": count, "count": count}
    assert summarise([*stuck[:1], *gone_on])["guessing"] == {"trainings": count, "count": 1}
    assert summarise(old)["guessing"] == {"trainings": 0, "count": 0}
    said = (
        f"{count} of {count} trainings ended no better than a model that says the same to every "
        "question"
    )
    shown = {**results, **summarise(stuck), "grid": results["grid"]}
    assert said in tables(shown)[0].title
    assert said in study.page(shown)
    one = {**shown, "blocks": results["blocks"][:1]}
    assert "Of 1 block:" in study.page(one)
    assert f"Of {len(BLOCKS_HERE)} blocks:" in study.page(shown)


def test_a_twin_has_as_many_numbers_and_no_angles(results):
    points = {(p["block"], p["kind"]): p for p in results["points"]}
    for block in BLOCKS_HERE:
        quantum, twin = points[block, "quantum"], points[block, "classical"]
        assert quantum["parameters"] == twin["parameters"]
        assert quantum["quantum_parameters"] > 0 == twin["quantum_parameters"]


@pytest.mark.parametrize(("side", "grid", "channels"), [(16, 2, 5), (32, 4, 9), (8, 4, 7)])
def test_the_cnn_comes_nearest_to_the_numbers_of_no_block(side, grid, channels):
    options = replace(SMALL, image_size=side, grid=grid, width=16)
    assert cnn_channels(options) == channels

    def numbers(kind, options):
        model = kind(options, ["no", "yes", "red"], ["which", "is"])
        return sum(one.numel() for one in model.parameters())

    none = numbers(BlockClassifier, BlockClassifierOptions(kind="none", side=side, grid=grid))
    cnns = [numbers(Cnn, CnnOptions(side, count, HIDDEN)) for count in range(1, 20)]
    assert min(cnns, key=lambda one: abs(one - none)) == cnns[channels - 1]


def test_differences_are_paired_by_seed(results):
    rows = {(r["block"], r["kind"], r["seed"]): r for r in results["rows"] if r["task"] == LEARN}
    for block in results["blocks"]:
        for kind, found in block["differences"].items():
            other = "" if kind in BASELINES else block["block"]
            of = [
                rows[block["block"], "quantum", seed]["loss"] - rows[other, kind, seed]["loss"]
                for seed in (0, 1)
            ]
            assert found["loss"]["mean"] == pytest.approx(sum(of) / 2)
            assert found["accuracy"]["low"] <= found["accuracy"]["mean"]
    assert results["seen"]["classical"]["intervals"] == 2


def test_costs_are_those_of_the_machine(results):
    qkan, tokens = results["blocks"]
    # two by two edges for each of four patches, of which two are empty: those are asked once
    assert 8 < qkan["machine"]["rows"] < 16
    assert (tokens["machine"]["rows"], qkan["machine"]["qubits"]) == (1, 1)
    assert (qkan["machine"]["two_qubit_gates"], qkan["machine"]["easy"]) == (0, "state")
    assert tokens["machine"]["two_qubit_gates"] >= 3
    assert 0 < tokens["machine"]["success"] < qkan["machine"]["success"] < 1
    assert qkan["machine"]["qpu_seconds"] > 2 * tokens["machine"]["qpu_seconds"]
    assert all(one["time"]["step_ms"] > 0 for one in results["blocks"])


def test_noise_is_met_with_the_same_questions(results):
    for block in results["blocks"]:
        assert [one["mitigation"] for one in block["noise"]] == ["none", "readout"]
        assert all(one["questions"] == 2 for one in block["noise"])
        assert len({one["exact"]["mean"] for one in block["noise"]}) == 1


def test_wide_circuits_are_asked_less_or_nothing(study, results, monkeypatch):
    cell = next(c for c in study.cells() if c.task == NOISE and "token" in c.block)
    (path,) = study.folder.glob("models/*token-circuit*quantum*seed-0")
    monkeypatch.setattr(noise, "DENSITY_QUBITS", 3)
    monkeypatch.setattr(noise, "FEW", 1)
    found = noise.under_noise(study.options, cell, path)
    assert (found["total"], len(found["right"]), len(found["exact_right"])) == (1, 1, 1)
    monkeypatch.setattr(noise, "MOST_QUBITS", 3)
    refused = {"qubits": 4, "most": 0, "refused": "4 qubits: more than 3 are not simulated"}
    assert noise.under_noise(study.options, cell, path) == refused


def test_what_a_limit_refused_is_asked_again_when_it_has_risen(results, study, monkeypatch):
    assert not any(study.again(row) for row in results["rows"])
    row = next(r for r in results["rows"] if r["task"] == NOISE and "token" in r["block"])
    assert (row["qubits"], row["most"]) == (4, 2)
    refused = {**row, "most": 0, "refused": "4 qubits: more than 3 are not simulated"}
    older = {name: value for name, value in refused.items() if name not in ("qubits", "most")}
    assert study.again(refused) and study.again(older)
    monkeypatch.setattr(noise, "MOST_QUBITS", 3)
    assert not study.again(refused)
    monkeypatch.setattr(noise, "MOST_QUBITS", 4)
    monkeypatch.setattr(noise, "DENSITY_QUBITS", 3)
    assert not study.again(row)  # two questions are not more than a few
    monkeypatch.setattr(noise, "FEW", 1)
    assert study.again(row) and not study.again({**row, "most": 1})


def test_it_goes_on_with_what_is_there(study, results):
    assert study.missing_models() == []
    grid = study.folder / "grid.json"
    begun = json.loads(grid.read_text())
    later = {name: begun.pop(name) for name in ("reads", "tokens")}
    grid.write_text(json.dumps(begun))  # of a version that could read pictures alone
    again = run_study(study)
    assert [r["seconds"] for r in again["rows"]] == [r["seconds"] for r in results["rows"]]
    assert json.loads((study.folder / "results.json").read_text())["blocks"] == again["blocks"]
    assert json.loads(grid.read_text()) == {**begun, **later}


def test_models_of_pictures_are_called_as_ever():
    asked = BlocksOptions(residual=True)
    texts = [model_text(asked, Cell(LEARN, *who)) for who in (("qkan", "frozen"), ("", "cnn"))]
    assert texts == [
        "block-classifier(block=qkan,kind=frozen,residual=yes,side=16,grid=2,width=16)",
        "cnn(side=16,channels=5,hidden=32)",
    ]


@pytest.fixture(scope="module")
def reading(tmp_path_factory):
    study = BlocksStudy(READING, tmp_path_factory.mktemp("studies") / "reading")
    return study, run_study(study)


def test_where_the_question_is_read_nothing_sees_the_picture(reading):
    study, results = reading
    learned = [row for row in results["rows"] if row["task"] == LEARN]
    block = READING.blocks[0]
    assert [(r["block"], r["kind"]) for r in learned] == [
        *((block, kind) for kind in KINDS), *(("", kind) for kind in BASELINES)
    ]  # fmt: skip
    for path in study.folder.glob("models/*"):
        model = Run.open(path).answering_model()
        assert list(model.inputs(list(Run.open(path).samples("test", 2)))) == ["words"]
    assert len(list(study.folder.glob("models/text-cnn*"))) == 1


def test_all_columns_are_there_where_the_question_is_read(reading):
    study, results = reading
    (found,) = results["blocks"]
    (path,) = study.folder.glob("models/*quantum*")
    model, asked = Run.open(path).answering_model(), list(Run.open(path).samples("test", 16))
    different = model.inputs(asked)["words"].unique(dim=0)
    assert 1 < len(different) < 16
    assert found["machine"]["rows"] == len(different) / 16, "equal beginnings are asked once"
    assert found["machine"]["qubits"] == 4
    assert found["time"]["step_ms"] > 0
    assert [one["questions"] for one in found["noise"]] == [2, 2]
    assert len(study.printed(results)) == 9
    page = (study.folder / "report.html").read_text(encoding="utf-8")
    assert "4 words of the question" in page and "patches" not in page


def test_where_the_question_is_read_blocks_of_sequences_are_there_by_default():
    assert blocks_of(BlocksOptions(reads="question", tokens=16)) == (
        "doubly-stochastic", "fast-weights", "qkan-lstm", "token-circuit"
    )  # fmt: skip
    assert blocks_of(READING) == READING.blocks


def test_the_page_sorts_by_itself_and_draws_every_circuit(study, results):
    page = (study.folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=[\"']http", page)
    assert page.count("<details>") == 2 and page.count('<table class="sortable"') == 3
    assert "addEventListener" in page and "Published figures" in page
    assert "sequences of proteins" in page
    assert page.count("<svg") == 4 + (2 if draws_pictures() else 0)
    assert ("drawn in letters" in page) != draws_pictures()
    assert page.count('class="plot circuit"') == (2 if draws_pictures() else 0)


def test_what_was_not_measured_is_a_dash(study, results):
    bare = {"time": None, "machine": None, "noise": []}
    less = {**results, "blocks": [{**one, **bare} for one in results["blocks"]]}
    assert len(study.printed(less)) == 5
    page = study.page(less)
    drawn = 2 if draws_pictures() else 0
    assert page.count("<svg") == 3 + drawn and "Under noise" not in page


def test_tables_fit_80_columns(study, results):
    tables = study.printed(results)
    assert len(tables) == 9
    for table in tables:
        # of long names of blocks with options two lines are made
        cells = [table.columns, *(["hamiltonian-embedding", *row[1:]] for row in table.rows)]
        widths = [max(len(row[i].lstrip(">")) for row in cells) for i in range(len(table.columns))]
        assert sum(widths) + 3 * len(widths) + 1 <= 80, table.title


def test_all_blocks_are_there_by_default_and_quick_changes_what_is_not_said():
    assert [name.partition("(")[0] for name in blocks_of(BlocksOptions())] == list(BLOCKS.own)
    quick = BlocksOptions(quick=True, steps=7)
    assert (quick.steps, quick.seeds) == (7, QUICK["seeds"])
    assert BlocksOptions().seeds == 5


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"blocks": ("qkann",)}, UnknownNameError, "did you mean 'qkan'"),
        ({"blocks": ("qkan", "qkan")}, InputError, "distinct, got qkan, qkan"),
        ({"seeds": 0}, InputError, "seeds must be at least 1"),
        ({"noisy_limit": 7}, InputError, "noisy_limit=7 are more questions than limit=6"),
        (
            {"learning_rate": 1e30},
            InputError,
            "learning_rate must be above 0 and at most 1",
        ),
        ({"learning_rate": float("nan")}, InputError, "at most 1, got nan"),
        ({"device": "ibm:best"}, InputError, "device is a fake one"),
        ({"reads": "pictures"}, UnknownNameError, "did you mean 'picture'"),
        ({"reads": "question", "image_size": 32}, InputError, "image_size is for reads=picture"),
        ({"tokens": 4}, InputError, "tokens is for reads=question"),
    ],
)
def test_options_that_make_no_table_are_refused(change, error, says):
    with pytest.raises(error, match=says):
        replace(SMALL, **change)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"blocks": ("qkan(input=3)",)}, UnknownNameError, "did you mean 'inputs'"),
        ({"blocks": ("token-circuit(tokens=3)",)}, InputError, "a picture has 4"),
        ({"blocks": ("token-circuit(tokens=4)",), "reads": "question"}, InputError, "has 8 words"),
        ({"reads": "question", "data": "single-digits"}, InputError, "nothing to read"),
        ({"blocks": ("doubly-stochastic",), "grid": 3, "image_size": 18}, InputError, "power of"),
        ({"blocks": ("qkan",), "mitigation": "zn"}, MitigationError, "did you mean 'zne'"),
        ({"blocks": ("qkan",), "device": "fake_kingstone"}, UnknownNameError, "fake_kingston"),
        ({"blocks": ("qkan",), "data": "folder:/no/such"}, InputError, "/no/such"),
    ],
)
def test_what_can_t_be_measured_is_refused_before_anything_is_written(
    tmp_path, change, error, says
):
    study = BlocksStudy(replace(SMALL, **change), tmp_path / "study")
    with pytest.raises(error, match=says) as found:
        run_study(study)
    assert "\n" not in str(found.value)
    assert not (tmp_path / "study").exists() or not any(tmp_path.joinpath("study").iterdir())
