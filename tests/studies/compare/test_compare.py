"""A whole comparison on pictures in a folder, as small as it can be."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from qvlm_qiskit.errors import InputError, MitigationError, UnknownNameError
from qvlm_qiskit.evaluation import evaluate_exam, majority_baseline
from qvlm_qiskit.evaluation.exam import Exam
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.compare.examples import examples
from qvlm_qiskit.studies.compare.options import CompareOptions
from qvlm_qiskit.studies.compare.study import CompareStudy, short_name, short_names
from qvlm_qiskit.studies.grid_study import run_study
from qvlm_qiskit.training import Subject
from tests.data import miniatures
from tests.models.colours import EXAMPLE, NAME

OWN = f"{NAME}(num_qubits=2,side=4)"
SMALL = CompareOptions(
    recipe="tiny", steps=2, batch_size=4, train_samples=8, limit=4, seeds=1, shots=20,
    variants=("quantum,linear", f"majority,{OWN}"), metrics=("rouge-l",), caption_tokenizer="port",
    max_new_tokens=4, backend="noisy:depolarizing(0.01)", columns="ask=which fruit?",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def example():
    """The documentation's classifier can be imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLE.parent)
        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    place = tmp_path_factory.mktemp("fruit")
    miniatures.image_folder(place, each=4, splits=("train", "test"))
    options = replace(SMALL, data=f"folder:{place}")
    return CompareStudy(options, tmp_path_factory.mktemp("studies") / "fruit")


@pytest.fixture(scope="module")
def results(study):
    return run_study(study)


def test_every_variant_is_there_exactly_and_models_with_circuits_on_the_backend_too(results):
    places = [(p["variant"], p["machine"]) for p in results["points"]]
    assert places == [
        ("quantum", "statevector"), ("quantum", "noisy:depolarizing(0.01)"),
        ("linear", "statevector"), ("majority", "statevector"),
        (OWN, "statevector"), (OWN, "noisy:depolarizing(0.01)"),
    ]  # fmt: skip
    assert all(list(p["metrics"]) == ["exact match", "ROUGE-L"] for p in results["points"])
    assert results["grid"]["data"].endswith("(ask=which fruit?)")


def test_a_row_is_what_the_run_folder_answers(study, results):
    run = Run.open(study.folder / "models" / "quantum-seed-0")
    samples = run.samples("test", 4)
    found = evaluate_exam(Exam(run.answering_model().limited(4), samples))
    row, _, linear, majority, own, _ = results["rows"]
    assert own["quantum_parameters"] == 4
    (folder,) = study.folder.glob(
        "models/picture_classifier-PictureClassifier-num_qubits-2-side-4-*"
    )
    assert Run.open(folder).answering_model().name == OWN
    assert row["right"] == "".join("01"[right] for right in found.correct)
    assert row["parameters"] == run.info["parameters"]
    assert {s.question for s in samples} == {"which fruit?"}
    most = majority_baseline(run.samples("train", 8), samples)
    assert majority["accuracy"] == most.accuracy.value
    assert linear["parameters"] == 2 * (3 * 16 * 16 + 1)


def test_it_goes_on_with_what_is_there(study, results):
    before = [row["seconds_trained"] for row in results["rows"]]
    again = run_study(study)
    assert [row["seconds_trained"] for row in again["rows"]] == before
    assert study.missing_models() == []
    page = (study.folder / "report.html").read_text(encoding="utf-8")
    for words in ("Differences", "quantum − linear", "ROUGE-L", "[", "Every seed"):
        assert words in page
    assert json.loads((study.folder / "results.json").read_text())["points"] == again["points"]


def test_the_page_shows_what_was_answered(study, results):
    shown = examples(study.options, study.context(results)["rows"])
    assert 1 <= len(shown) <= 4
    samples = Run.open(study.folder / "models" / "quantum-seed-0").samples("test", 4)
    row = results["rows"][0]
    for one in shown:
        sample = samples[one["index"]]
        assert (one["question"], one["expected"]) == ("which fruit?", sample.answer)
        assert one["image"].tobytes() == sample.image.tobytes()
        assert list(one["answers"])[:2] == ["quantum, exact", "quantum, noisy:depolarizing(0.01)"]
        assert one["answers"]["quantum, exact"] == row["answers"][one["index"]]
        assert ("quantum, exact" in one["wrong"]) == (row["right"][one["index"]] == "0")
    order = [("quantum, exact" in one["wrong"], one["index"]) for one in shown]
    assert order == sorted(order)
    page = (study.folder / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == len(shown)


def test_a_page_without_its_data_says_so(study, results):
    gone = CompareStudy(replace(study.options, data="folder:/no/such/place"), study.folder)
    shown = gone.context(results)
    assert shown["pictures"] == [] and "/no/such/place" in shown["unread"]
    assert shown["unread"] in gone.page(results)
    old = [{k: v for k, v in row.items() if k != "answers"} for row in results["rows"]]
    assert examples(study.options, old) == []


def test_data_that_has_changed_since_is_refused(study, results):
    place = Path(study.options.data.partition(":")[2])
    picture = next(place.glob("train/*/*"))
    content = picture.read_bytes()
    miniatures.picture(picture, 77)
    try:
        with pytest.raises(InputError, match=r"^folder:.* has changed since .* was begun"):
            run_study(CompareStudy(replace(study.options, limit=3), study.folder))
    finally:
        picture.write_bytes(content)
    run_study(study)


def test_tables_have_all_numbers_and_fit_80_columns(study, results):
    tables = study.printed(results)
    assert [table.title.partition(" ")[0] for table in tables[::2]] == ["exact", "ROUGE-L"]
    assert [row[:2] for row in tables[0].rows][:2] == [
        ["quantum", "exact"], ["quantum", "noisy:depolarizing(0.01)"],
    ]  # fmt: skip
    assert tables[0].rows[-1][0] == "PictureClassifier"
    assert [row[0] for row in tables[1].rows][2] == "quantum − PictureClassifier"
    for table in tables[::2]:
        # a name of one's own may be longer, and is written on two lines then
        cells = [table.columns, *(row for row in table.rows if "Classifier" not in row[0])]
        widths = [max(len(row[i].lstrip(">")) for row in cells) for i in range(len(table.columns))]
        assert sum(widths) + 3 * len(widths) + 1 <= 80


def test_the_quantum_model_and_its_twin_have_as_many_parameters():
    digits = replace(SMALL, columns=None)
    counts = {
        name: sum(p.numel() for p in Subject(digits.training(name, 0)).build().module.parameters())
        for name in ("quantum", "classical")
    }
    assert counts["quantum"] == counts["classical"]


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"variants": ("quantums",)}, UnknownNameError, "did you mean 'quantum'"),
        ({"variants": ("cnn", "cnn")}, InputError, "distinct"),
        ({"variants": ("hybrid-vlm",)}, UnknownNameError, "unknown variant"),
        ({"variants": ("quantum(visio=qcnn)",)}, UnknownNameError, "did you mean 'vision'"),
        ({"variants": ("quantum(vision=qcn(bond=2))",)}, UnknownNameError, "did you mean 'qcnn'"),
        ({"variants": ("linear(vision=qcnn)", "cnn(x")}, InputError, "not of the form"),
        ({"metrics": ("bleu,blue",)}, UnknownNameError, "did you mean 'bleu'"),
        ({"seeds": 0}, InputError, "seeds must be at least 1"),
        ({"steps": 0}, InputError, "steps must be at least 1"),
        ({"data": "digit"}, UnknownNameError, "did you mean 'digits'"),
        ({"columns": "photo"}, InputError, "of the form"),
    ],
)
def test_what_makes_no_comparison_is_refused(change, error, says):
    with pytest.raises(error, match=says):
        replace(SMALL, **change)


def test_data_and_machines_are_looked_at_before_anything_is_written(tmp_path):
    changes = (
        {"data": f"folder:{tmp_path / 'nothing'}"},
        {"backend": "noisy:fake_none"},
        {"variants": (OWN.replace("Picture", "Photo"),)},
        {"variants": ("no_such_module:Model",), "data": "digits"},
        {"variants": ("quantum(vision=qcnn(encoding=msp))",), "data": "digits"},
        {"caption_tokenizer": "jawa", "metrics": ("exact-match",)},
    )
    for change in changes:
        study = CompareStudy(replace(SMALL, columns=None, **change), tmp_path / "study")
        with pytest.raises((InputError, UnknownNameError)):
            run_study(study)
        assert not (tmp_path / "study").exists()


def test_models_are_named_by_their_classes_where_these_differ():
    names = ["quantum", "a.b:Deep(n=2)", "a:Net(n=1)", "a:Net(n=2)"]
    assert list(short_names(names).values()) == ["quantum", "Deep", "a:Net(n=1)", "a:Net(n=2)"]


def test_data_is_named_without_its_folders():
    assert short_name("digits") == "digits"
    assert short_name("folder:/a/b/fruit(ask=which?)") == "folder:fruit"


def test_a_mitigation_is_named_without_its_machine(study, results):
    *_, last = results["differences"]
    mitigated = {**last, "what": "noisy:depolarizing(0.01), readout − exact"}
    tables = study.printed({**results, "differences": [mitigated]})
    assert [row[0] for row in tables[3].rows] == ["readout − exact"]


def test_several_mitigations_are_cells_of_their_own(tmp_path):
    both = replace(SMALL, mitigation=("none,readout", "zne(scales=1,3)"), variants=("quantum",))
    assert both.mitigation == ("none", "readout", "zne(scales=1,3)")
    study = CompareStudy(both, tmp_path)
    exact, *noisy = study.cells()
    assert [cell.mitigation for cell in noisy] == ["none", "readout", "zne(scales=1,3)"]
    assert noisy[1].where == "noisy:depolarizing(0.01), readout"
    assert exact.where == "statevector"
    keys = [study.key(cell) for cell in study.cells()]
    assert len(set(keys)) == 4
    plain = CompareStudy(replace(SMALL, variants=("quantum",)), tmp_path)
    assert [plain.key(cell) for cell in plain.cells()] == keys[:2]
    with pytest.raises(InputError, match="mitigation must be distinct"):
        replace(SMALL, mitigation=("none,none",))


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"mitigation": ("readuot",)}, MitigationError, "did you mean 'readout'"),
        ({"backend": None, "mitigation": ("readuot",)}, MitigationError, "did you mean 'readout'"),
        ({"backend": None}, InputError, "^shots is for --backend, and none is given$"),
        (
            {"backend": None, "shots": 1000, "mitigation": ("readout",)},
            InputError,
            "^mitigation is",
        ),
        ({"model": "linear"}, InputError, "^--model is what variants called model are made of"),
    ],
)
def test_what_is_said_of_something_that_is_not_asked_for_is_refused(change, error, says):
    with pytest.raises(error, match=says):
        replace(SMALL, **change)


def test_a_backend_that_nothing_would_run_on_is_refused(tmp_path):
    study = CompareStudy(replace(SMALL, variants=("classical", "linear")), tmp_path)
    with pytest.raises(InputError, match=r"^no variant has circuits that noisy:dep.* could run"):
        study.cells()
