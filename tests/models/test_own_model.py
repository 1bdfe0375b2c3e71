import dataclasses
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from qvlm_qiskit.blocks import insert_block, layers_outside
from qvlm_qiskit.data import Sample, open_data
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation import Exam, evaluate_exam
from qvlm_qiskit.evaluation.loss import exam_loss
from qvlm_qiskit.inference.preflight import jobs_in_a_row
from qvlm_qiskit.models import (
    AnsweringModel,
    Classifier,
    OwnModel,
    VisionLanguageModel,
    pixels,
)
from qvlm_qiskit.models.registry import NEEDED
from qvlm_qiskit.publishing import model_card
from qvlm_qiskit.runs import Run, keep_model
from qvlm_qiskit.training import Subject, TrainingOptions, train
from tests.models.colours import NAME

OPTIONS = {
    "steps": 60, "batch_size": 8, "learning_rate": 0.1, "train_samples": 24, "model": NAME
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(plain_path, colours, tmp_path_factory):
    options = TrainingOptions(data=f"folder:{colours}", **OPTIONS)
    return train(options, tmp_path_factory.mktemp("own") / "run")


@pytest.fixture
def samples(colours):
    return list(open_data(f"folder:{colours}", "test"))


class Halves(OwnModel):
    """Says "light" or "dark": answers that no data has taught it, judged by its own rule."""

    def __init__(self, options=None, **learned):
        super().__init__(options, **learned)
        self.scale = nn.Parameter(torch.ones(1))

    def inputs(self, samples):
        levels = [s.image.convert("L").resize((1, 1)).getpixel((0, 0)) / 255 for s in samples]
        return {"level": torch.tensor(levels)}

    def labels(self, samples):
        return torch.tensor([float(s.answer == "light") for s in samples])

    def forward(self, level, labels=None):
        found = {"level": self.scale * level}
        return (
            found if labels is None else {**found, "loss": (found["level"] - labels).pow(2).mean()}
        )

    def texts(self, output):
        return ["light" if one > 0.5 else "dark" for one in output["level"]]

    def accepts(self, sample, answer):
        return sample.accepts(answer.upper())


class WithInserted(Classifier):
    """A linear map with a block behind it."""

    def __init__(self, options, classes):
        super().__init__(options, classes)
        self.map = nn.Linear(12, 4)
        insert_block(self, "map", "qcnn", width=4, num_qubits=2, num_layers=1)
        self.head = nn.Linear(4, len(classes))

    def inputs(self, samples):
        return {"images": pixels(samples, 2).flatten(1)}

    def forward(self, images, labels=None):
        return self.scored(self.head(self.map(images)), labels)


def tied(self, options=None):
    Halves.__init__(self, options)
    self.a = self.b = nn.Parameter(torch.ones(2))


class Raw(Halves):
    """Takes pictures as large as they are."""

    def inputs(self, samples):
        return {"level": torch.stack([torch.ones(one.image.size).mean(0) for one in samples])}


def test_it_learns_and_its_run_folder_answers_as_it_did(trained, samples, example):
    run = Run.open(trained.path)
    model = run.answering_model()
    assert type(model) is example
    assert (model.name, model.classes) == (NAME, ["blue", "green", "red"])
    assert not model.training
    found = evaluate_exam(Exam(model, samples), batch_size=5)
    assert found.accuracy.value >= 0.9
    assert found == evaluate_exam(Exam(run.answering_model(), samples))
    assert exam_loss(Exam(model, samples), batch_size=5) == pytest.approx(
        exam_loss(Exam(model, samples)), rel=1e-5
    )
    assert run.info["quantum_parameters"] == 6
    assert run.info["model"]["class"] == NAME


def test_the_same_seed_gives_the_same_weights(trained, colours, tmp_path):
    again = train(TrainingOptions(data=f"folder:{colours}", **OPTIONS), tmp_path / "run")
    weights = (run.answering_model().state_dict() for run in (trained, again))
    first, second = weights
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_an_interrupted_training_goes_on_to_the_same_weights(
    trained, colours, tmp_path, stop_at, stopped, monkeypatch
):
    options = TrainingOptions(data=f"folder:{colours}", **{**OPTIONS, "checkpoint_every": 7})
    out = tmp_path / "run"
    with pytest.raises(stopped):
        train(options, out, track=stop_at("training", 9))
    monkeypatch.setattr(Subject, "_class_digest", lambda self: "another")
    with pytest.raises(InputError, match="was started with class="):
        train(options, out, resume=True)
    monkeypatch.undo()
    again = train(options, out, resume=True)
    first, second = (run.answering_model().state_dict() for run in (trained, again))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_its_loss_on_held_out_samples_is_measured_and_the_best_weights_are_kept(colours, tmp_path):
    changed = {**OPTIONS, "steps": 4, "evaluate_every": 2}
    run = train(TrainingOptions(data=f"folder:{colours}", **changed), tmp_path / "run")
    history, held_out = run.history(), open_data(f"folder:{colours}", "validation", 4)
    assert history["held_out_step"] == [2, 4]
    found = exam_loss(Exam(run.answering_model(), held_out))
    assert found == pytest.approx(min(history["held_out_loss"]), rel=1e-5)


def test_a_model_that_was_trained_by_hand_is_kept(example, colours, tmp_path):
    model, data = example(example.options_type(), ["blue", "green", "red"]), f"folder:{colours}"
    kept = keep_model(model, tmp_path / "kept", data, train_samples=7, seed=3)
    assert (kept.seed, kept.trained_with()["train_samples"], kept.history()) == (3, 7, {})
    assert len(kept.samples("test", 2)) == 2
    weights, again = model.state_dict(), kept.answering_model().state_dict()
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert "trained by hand" in model_card(kept)
    with pytest.raises(InputError, match="exists already"):
        keep_model(model, tmp_path / "kept", data)


def test_what_nobody_could_open_again_is_not_kept(tmp_path):
    there = type("Mine", (Halves,), {"__module__": "__main__"})()
    with pytest.raises(InputError, match="Mine is of a script or a notebook"):
        keep_model(there, tmp_path / "kept", "digits")
    with pytest.raises(InputError, match="says by which recipe"):
        keep_model(VisionLanguageModel(None, None), tmp_path / "kept", "digits")


def test_options_behind_its_name_are_typed_and_kept(colours, tmp_path):
    name = f"{NAME}(num_qubits=2,side=4)"
    options = TrainingOptions(data=f"folder:{colours}", **{**OPTIONS, "model": name, "steps": 1})
    model = train(options, tmp_path / "run").answering_model()
    assert dataclasses.asdict(model.options) == {"num_qubits": 2, "side": 4}
    assert model.name == name


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("model.safetensors", b"x", "is damaged: its model can't be loaded"),
        ("config.json", b"{}", r"is damaged: its model can't be loaded \('format'\)"),
        ("config.json", b'{"format": "x", "version": 1}', "is of another format or version"),
        ("config.json", None, "is incomplete: model/config.json is missing"),
    ],
)
def test_a_damaged_run_of_one_is_one_line(trained, tmp_path, name, content, says):
    copy = Path(shutil.copytree(trained.path, tmp_path / "copy"))
    (copy / "model" / name).unlink()
    if content is not None:
        (copy / "model" / name).write_bytes(content)
    with pytest.raises(InputError, match=says) as refused:
        Run.open(copy).answering_model()
    assert "\n" not in str(refused.value)


def test_a_run_of_one_has_no_processor_and_says_so(trained):
    with pytest.raises(InputError, match=r"holds picture_classifier.*no hybrid-vlm"):
        trained.model()


def test_the_protocol_is_what_is_checked(example):
    members = {name for name in vars(AnsweringModel) if not name.startswith("_")} - {"name"}
    assert set(NEEDED) == members
    for kind in (example, VisionLanguageModel):
        assert all(hasattr(kind, name) for name in NEEDED)


def test_a_model_may_judge_and_need_no_circuit_and_nothing_learned(tmp_path):
    pictures = [Image.new("L", (4, 4), shade) for shade in (10, 240)]
    exam = Exam(Halves(), [Sample(picture, "k", "q", "DARK") for picture in pictures])
    found = evaluate_exam(exam)
    assert (found.answers, found.correct) == (("dark", "light"), (True, False))
    assert [entry["wrong"] for entry in exam.answered({"a": found.answers})] == [["a"], []]
    exam.model.save(tmp_path / "model")
    assert torch.equal(Halves.load(tmp_path / "model").scale, exam.model.scale)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"inputs": lambda self, samples: {}["pixels"]}, "inputs or labels failed on .*KeyError"),
        ({"forward": lambda self, level, labels=None: {}}, "a mapping with the loss under 'loss'"),
        ({"texts": lambda self, output: "light"}, "texts returns a list of one text per sample"),
        ({"__init__": tied}, "a and b are one tensor"),
    ],
)
def test_what_can_not_be_trained_is_refused_before_anything_is_written(changed, says, tmp_path):
    kind = type("Other", (Halves,), changed)
    sample = Sample(Image.new("L", (4, 4)), "k", "q", "dark")
    options = TrainingOptions(model="tests.models.test_own_model:Halves")
    with pytest.raises(InputError, match=says):
        kind.build(options, None, lambda: [sample])


def test_pictures_of_a_size_that_it_does_not_take_are_one_line():
    samples = [Sample(Image.new("L", (4, width)), "k", "q", "dark", ("a.png",)) for width in (3, 5)]
    says = r"failed on 2 samples, the first from a.png \(RuntimeError: stack expects each tensor"
    with pytest.raises(InputError, match=says) as refused:
        Raw().answers(samples)
    assert "\n" not in str(refused.value)


def test_a_block_that_it_inserts_is_saved_and_asked_as_blocks_are(tmp_path):
    model = WithInserted(None, ["a", "b"])
    assert list(model.quantum_layers) == ["map.block.core.layer"]
    assert layers_outside(model) == {}
    assert jobs_in_a_row(model, model.passes) == 1
    samples = [Sample(Image.new("L", (4, 4), shade), "k", "q", "a") for shade in (10, 200)]
    model.check(samples)
    model.save(tmp_path)
    again = WithInserted.load(tmp_path)
    inputs = model.inputs(samples)
    assert torch.equal(again(**inputs)["logits"], model.eval()(**inputs)["logits"])


def test_rows_of_other_shapes_are_refused_by_their_samples(example, monkeypatch):
    class Ragged(Halves):
        def inputs(self, samples):
            return {"level": torch.zeros(len(samples), samples[0].image.width)}

    monkeypatch.setattr("qvlm_qiskit.models.encoded_rows.AT_ONCE", 1)
    samples = [Sample(Image.new("L", (w, 4)), "k", "q", "dark") for w in (3, 5)]
    with pytest.raises(InputError, match=r"'level' of shape \(5,\) of samples 1 to 1, and \(3,\)"):
        Ragged().encoded(samples)


def test_rows_that_memory_does_not_hold_are_made_on_access(example, samples, monkeypatch):
    model = example(example.options_type(), ["blue", "green", "red"])
    ahead = model.encoded(samples)
    monkeypatch.setattr("qvlm_qiskit.models.encoded_rows.memory_bytes", lambda: 1)
    later = model.encoded(samples)
    assert later._columns is None
    for i in range(len(samples)):
        assert all(torch.equal(ahead[i][name], later[i][name]) for name in ("images", "labels"))
