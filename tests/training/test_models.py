"""Trainings that start from a trained run."""

import dataclasses
import json

import pytest
import torch
from safetensors.torch import load_file

from qvlm_qiskit.errors import InputError, RunFolderError, UnknownNameError
from qvlm_qiskit.training import Subject, TrainingOptions, options_from, train


def weights(run):
    return load_file(run.path / "model" / "model.safetensors")


def moved(before, after):
    ours, theirs = weights(before), weights(after)
    return {name for name in ours if not torch.equal(ours[name], theirs[name])}


@pytest.fixture(scope="module")
def options(tiny_run):
    return options_from(tiny_run, steps=2, batch_size=4, checkpoint_every=1)


def test_the_model_and_the_data_are_those_of_the_run(tiny_run, options):
    known = tiny_run.info["options"]
    for name in ("recipe", "blocks", "data", "train_samples", "seed"):
        assert getattr(options, name) == known[name]
    assert (options.steps, options.batch_size) == (2, 4)


@pytest.mark.parametrize("trains", [None, "all"])
def test_only_what_was_asked_for_is_trained(tiny_run, options, tmp_path, trains):
    run = train(options, tmp_path / "run", source=tiny_run, trains=trains)
    changed = moved(tiny_run, run)
    angles = {name for name in weights(run) if name.endswith("core.layer.weight")}
    assert changed == angles if trains != "all" else changed > angles
    about = run.info["from"]
    assert about["run"] == str(tiny_run.path.resolve())
    assert about["trains"] == (trains or "circuits")
    assert run.info["trained_parameters"] == (14 if trains != "all" else run.info["parameters"])
    assert run.processor().tokenizer.get_vocab() == tiny_run.processor().tokenizer.get_vocab()


def test_it_starts_from_the_weights_of_the_run(tiny_run, options, tmp_path):
    run = train(options, tmp_path / "run", source=tiny_run)
    assert run.history()["loss"][0] < 0.7 * tiny_run.history()["loss"][0]


@pytest.mark.parametrize("change", [{"seed": 7}, {"recipe": "small"}, {"text_block": "paqm"}])
def test_options_that_contradict_the_run_are_refused(tiny_run, options, tmp_path, change):
    (name,) = change
    with pytest.raises(InputError, match=f"was trained with {name}="):
        train(dataclasses.replace(options, **change), tmp_path / "run", source=tiny_run)


def test_what_is_trained_is_checked(tiny_run, options):
    with pytest.raises(UnknownNameError, match="did you mean 'circuits'"):
        Subject(options, tiny_run, "circuit")
    with pytest.raises(InputError, match="starts from nothing is trained as a whole"):
        Subject(options, trains="circuits")


def test_a_run_without_circuits_that_train_is_refused(tmp_path):
    options = TrainingOptions(recipe="tiny", blocks="frozen", steps=1, train_samples=8)
    frozen = train(options, tmp_path / "frozen")
    with pytest.raises(InputError, match="frozen has no circuits that train: train all of it"):
        Subject(options, frozen, "circuits").build()


def test_scales_and_offsets_train_with_the_circuits(tmp_path):
    options = TrainingOptions(
        recipe="tiny", vision_block="qcnn(encoding=re-upload)", steps=1, train_samples=8
    )
    run = train(options, tmp_path / "run")
    model = Subject(options, run, "circuits").build().module
    trained = [
        name.rpartition("qcnn.")[2] for name, p in model.named_parameters() if p.requires_grad
    ]
    assert trained == [
        "core.layer.weight", "core.angles.scale", "core.angles.offset", "paqm.core.layer.weight",
    ]  # fmt: skip


def test_blocks_that_can_not_be_are_refused_before_data_is_looked_for():
    options = TrainingOptions(
        recipe="tiny", vision_block="qcnn(encoding=msp)", data="folder:/nowhere", steps=1
    )
    with pytest.raises(UnknownNameError, match="did you mean 'mps'"):
        Subject(options)


def test_a_run_whose_record_lacks_an_option_is_damaged(run_copy):
    from qvlm_qiskit.runs import Run

    record = run_copy / "run.json"
    info = json.loads(record.read_text())
    del info["options"]["train_samples"]
    record.write_text(json.dumps(info))
    with pytest.raises(RunFolderError, match="does not say its train_samples"):
        options_from(Run.open(run_copy))


def test_going_on_from_a_run_that_has_changed_is_refused(
    run_copy, options, tmp_path, stop_at, stopped
):
    from qvlm_qiskit.runs import Run

    with pytest.raises(stopped):
        train(options, tmp_path / "new", source=Run.open(run_copy), track=stop_at("training", 2))
    with pytest.raises(InputError, match="was started with from="):
        train(options, tmp_path / "new", source=Run.open(run_copy), trains="all", resume=True)
    with (run_copy / "model" / "generation_config.json").open("a") as file:
        file.write("\n")
    with pytest.raises(InputError, match="was started with from="):
        train(options, tmp_path / "new", source=Run.open(run_copy), resume=True)
