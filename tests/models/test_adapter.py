"""A tower and a language model as a run's model: trained, asked, moved to other machines."""

import json
import shutil

import pytest
import torch

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.basics.bars import no_transformers_bars
from qvlm_qiskit.errors import InputError, QVLMError, UnknownNameError
from qvlm_qiskit.evaluation import Exam
from qvlm_qiskit.inference.preflight import preflight_evaluation
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.compare.options import CompareOptions
from qvlm_qiskit.studies.compare.study import CompareStudy
from qvlm_qiskit.studies.grid_study import run_study
from qvlm_qiskit.training import TrainingOptions, train
from tests.adapter import hubs
from tests.data import miniatures
from tests.models import colours


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with no_transformers_bars():
        return hubs.write(tmp_path_factory.mktemp("hub"))


def name(hub, **changes):
    options = {"vision": hub / "clip", "language": hub / "llama", "num_qubits": 2, "beams": 1,
               **changes}  # fmt: skip
    return f"adapter({','.join(f'{k}={v}' for k, v in options.items())})"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    place = tmp_path_factory.mktemp("fruit")
    miniatures.image_folder(place, each=4, splits=("train", "test"))
    return f"folder:{place}(ask=which fruit?)"


def options(hub, data, **changes):
    steps = {"steps": 4, "batch_size": 4, "train_samples": 8, "checkpoint_every": 2}
    return TrainingOptions(model=name(hub, **changes), data=data, **steps)


@pytest.fixture(scope="module")
def run(hub, data, tmp_path_factory):
    return train(options(hub, data), tmp_path_factory.mktemp("runs") / "run")


def test_a_run_folder_holds_the_adapter_alone(run):
    sizes = {file.name: file.stat().st_size for file in (run.path / "model").iterdir()}
    assert set(sizes) == {
        "adapter_config.json", "adapter_model.safetensors", "config.json", "model.safetensors",
        "tower.json",
    }  # fmt: skip
    assert sum(sizes.values()) < 50_000
    assert run.info["quantum_parameters"] == 18
    assert run.info["trained_parameters"] < run.info["parameters"]


def test_its_answers_are_the_same_after_it_is_opened_again(run):
    model, samples = run.answering_model(), run.samples("test", 3)
    answers = model.limited(4).answers(samples)
    assert answers == Run.open(run.path).answering_model().limited(4).answers(samples)
    assert len(answers) == 3
    with model.run_on(open_backend("noisy:depolarizing(0.1)", shots=20)):
        assert len(model.limited(2).answers(samples)) == 3


def test_an_interrupted_training_ends_with_the_same_weights(
    hub, data, run, tmp_path, stop_at, stopped
):
    with pytest.raises(stopped):
        train(options(hub, data), tmp_path / "run", track=stop_at("training", 3))
    again = train(options(hub, data), tmp_path / "run", resume=True)
    for file in ("adapter_model.safetensors", "model.safetensors"):
        assert (again.path / "model" / file).read_bytes() == (
            run.path / "model" / file
        ).read_bytes()


def test_other_weights_at_the_same_place_are_refused(hub, data, tmp_path):
    own = tmp_path / "llama"
    shutil.copytree(hub / "llama", own)
    trained = train(options(hub, data, language=own), tmp_path / "run")
    shutil.rmtree(own)
    shutil.copytree(hub / "llama-bf16", own)
    with pytest.raises(QVLMError, match=r"language at .* has other weights"):
        trained.answering_model()


def test_twins_have_as_many_parameters(hub, data, tmp_path):
    counts = set()
    for kind in ("quantum", "classical", "frozen"):
        found = train(options(hub, data, projection=kind), tmp_path / kind)
        counts.add(found.info["parameters"])
        assert (found.info["quantum_parameters"] == 0) == (kind == "classical")
    assert len(counts) == 1


@pytest.fixture(scope="module")
def colourful(tmp_path_factory):
    place = colours.colour_folder(tmp_path_factory.mktemp("pictures") / "colours")
    return f"folder:{place}(ask=which colour?)"


@pytest.mark.parametrize(
    ("changes", "rows"),
    [
        ({"attention": "scores", "grid": 2}, 4 * 4),
        ({"attention": "values", "grid": 1, "keep": 4, "vision": "HUB/siglip"}, 4),
        ({"vision": "pixels", "encoding": "amplitude", "num_qubits": 4}, 4),
        ({"vision": "pixels", "encoding": "amplitude", "attention": "values"}, 4 * 9),
        ({"block": "qkan(inputs=2,outputs=2)", "num_qubits": 4}, 4 * 4),
        ({"block": "farhi-neven(inputs=3)", "vision": "pixels", "projection": "frozen"}, 4),
    ],
    ids=["scores", "values", "pixels", "pixels-values", "block", "pixels-block"],
)
def test_variants_are_trained_opened_again_and_priced(hub, colourful, tmp_path, changes, rows):
    changes = {k: str(v).replace("HUB", str(hub)) for k, v in changes.items()}
    found = train(options(hub, colourful, **changes), tmp_path / "run")
    model, samples = found.answering_model().limited(3), found.samples("test", 4)
    again = Run.open(found.path).answering_model().limited(3)
    assert model.answers(samples) == again.answers(samples)
    backend = open_backend("noisy:fake_manila", shots=20)
    report, _ = preflight_evaluation(Exam(model, samples), backend, mitigations=["none"])
    assert (report.rows, report.calls) == (rows, 1)
    with model.run_on(backend):
        assert len(model.answers(samples)) == 4


def test_variants_have_twins_of_as_many_parameters(hub, colourful, tmp_path):
    for number, changes in enumerate(
        [
            {"attention": "scores", "grid": 2},
            {"vision": "pixels", "encoding": "amplitude"},
            {"block": "quanvolution(side=2)", "num_qubits": 4},
        ]
    ):
        found = [
            train(options(hub, colourful, projection=kind, **changes), tmp_path / f"{number}{kind}")
            for kind in ("quantum", "classical", "frozen")
        ]
        assert len({one.info["parameters"] for one in found}) == 1
        before = [json.loads((one.path / "model/config.json").read_text()) for one in found]
        assert [one["projection"]["kind"] for one in before] == ["quantum", "classical", "frozen"]


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"attention": "score"}, UnknownNameError, "did you mean 'scores'"),
        ({"grid": 2}, InputError, "a grid of regions goes with attention=scores"),
        ({"attention": "scores", "grid": 0}, InputError, "grid is a whole number from 1 to 64"),
        ({"attention": "scores"}, InputError, "sees 2 × 2 patches of a picture, fewer than a grid"),
        ({"attention": "scores", "grid": 2, "pool": "mean"}, InputError, "is one vector"),
        ({"attention": "scores", "projection": "linear"}, InputError, "linear has no attention"),
        ({"encoding": "amplitude"}, InputError, "2 qubits have 4 amplitudes, and there are 16"),
        ({"vision": "pixels", "pool": "cls"}, InputError, "leave pool=cls out"),
        ({"vision": "/no/where"}, InputError, "can be opened from /no/where: nothing is there"),
        ({"projection": "quant"}, UnknownNameError, "did you mean 'quantum'"),
        ({"block": "qkann", "num_qubits": 4}, UnknownNameError, "did you mean 'qkan'"),
        ({"block": "qkan(inputs=0)", "num_qubits": 4}, InputError, "block qkan: inputs is a who"),
        ({"block": "fast-weights", "num_qubits": 4}, InputError, "takes tokens, and a picture is"),
        ({"block": "qkan"}, InputError, "'qkan' takes the place of the circuit that num_qubits=2"),
        ({"block": "qkan", "num_qubits": 4, "read": "z"}, InputError, "that read=z is about"),
        ({"block": "qkan", "num_qubits": 4, "projection": "linear"}, InputError, "not with kind l"),
        ({"beams": 0}, InputError, "beams must be at least 1"),
        ({"num_qubits": 99}, InputError, "num_qubits is a whole number from 1 to 24"),
        ({"qubits": 2}, UnknownNameError, "did you mean 'num_qubits'"),
        ({"language": "HUB/endless"}, InputError, "no token that ends a text"),
    ],
)
def test_what_can_not_be_trained_is_refused_before_anything_is_written(
    hub, data, tmp_path, changes, error, says
):
    changes = {k: str(v).replace("HUB", str(hub)) for k, v in changes.items()}
    with pytest.raises(error, match=says):
        train(options(hub, data, **changes), tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_records_say_which_weights_it_stands_between(run):
    about = json.loads((run.path / "run.json").read_text())["model"]
    assert about["name"].startswith("adapter(vision=")
    assert set(about["digests"]) == {"vision", "language"}
    assert all(len(one) == 64 for one in about["digests"].values())


def test_a_prompt_of_somebody_is_read_as_it_is(run):
    from PIL import Image

    model = run.answering_model()
    picture = Image.new("L", (9, 7))
    assert model.sample(picture, "what?", {}).question == "what?"
    assert model.sample(picture, None, {"label": "which fruit?"}).question == "which fruit?"
    assert torch.isfinite(model.inputs([model.sample(picture, None, {})])["features"]).all()


@pytest.mark.parametrize("projection", ["classical", "linear"])
def test_a_comparison_has_a_models_variants_and_a_control(hub, data, tmp_path, projection):
    """Circuits alone go to the machine; the control is trained on the pictures of others."""
    asked = CompareOptions(
        data=data, model=name(hub), steps=2, batch_size=4, train_samples=8, limit=3, seeds=1,
        variants=(f"model,model(projection={projection}),shuffled(model)",), max_new_tokens=2,
        backend="noisy:depolarizing(0.1)", shots=20,
    )  # fmt: skip
    study = CompareStudy(asked, tmp_path / "study")
    results = run_study(study)
    assert [(p["variant"], p["machine"]) for p in results["points"]] == [
        ("model", "statevector"), ("model", "noisy:depolarizing(0.1)"),
        (f"model(projection={projection})", "statevector"),
        ("shuffled(model)", "statevector"), ("shuffled(model)", "noisy:depolarizing(0.1)"),
    ]  # fmt: skip
    trained = {
        run.parent.name: Run.open(run.parent) for run in study.folder.glob("models/*/run.json")
    }
    data_of = {name.partition("-")[0]: run.info["options"]["data"] for name, run in trained.items()}
    assert data_of == {"model": data, "shuffled": f"shuffled:{data}"}
