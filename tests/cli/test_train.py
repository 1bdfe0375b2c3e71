import re

import pytest
import torch
from safetensors.torch import load_file

from qvlm_qiskit.runs import Run
from qvlm_qiskit.training import TrainingOptions, train

TINY = ("--recipe", "tiny", "--steps", "4", "--train-samples", "32", "--batch-size", "8")


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


def test_train_overwrites_a_run_folder_when_asked_and_nothing_else(qvlm, place):
    (place / "folder" / "old").write_text("old")
    refused = qvlm("train", "--out", "folder", *TINY, "--overwrite")
    assert (refused.status, (place / "folder" / "old").read_text()) == (2, "old")
    assert qvlm("train", "--out", "new", *TINY).status == 0
    assert qvlm("train", "--out", "new", *TINY, "--seed", "7", "--overwrite").status == 0
    assert Run.open(place / "new").seed == 7


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
