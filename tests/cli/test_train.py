import json
import re
import shlex

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


def test_train_prints_json_in_the_end(qvlm, place):
    found = qvlm("train", "--out", "new", *TINY, "--json")
    run = Run.open(place / "new")
    assert found.status == 0
    assert json.loads(found.out) == {"run": "new", **run.info, "history": run.history()}
    assert "trained 13," in found.err
    refused = qvlm("train", "--out", "new", *TINY, "--json")
    assert (refused.status, refused.out) == (2, "")


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


def test_train_from_a_run_moves_its_angles_alone(qvlm, place):
    found = qvlm("train", "--from", "run", "--out", "new", "--steps", "2", "--batch-size", "4")
    assert found.status == 0, found.err
    assert "trained 14 parameters (14 circuit angles)" in found.err
    run = Run.open(place / "new")
    assert run.info["from"]["run"] == str((place / "run").resolve())
    assert run.info["options"]["recipe"] == Run.open(place / "run").info["options"]["recipe"]
    words = ("--from", "run", "--out", "all", "--steps", "1", "--train", "all", "--seed", "0")
    assert qvlm("train", *words, "--batch-size", "4").status == 0
    assert Run.open(place / "all").info["from"]["trains"] == "all"


BOUGHT = (
    "--recipe", "tiny", "--steps", "2", "--batch-size", "1", "--train-samples", "4",
    "--backend", "noisy:fake_manila", "--shots", "16", "--gradient", "spsa", "--store", "ledger",
)  # fmt: skip


def test_train_through_a_ledger_says_what_it_costs_and_can_be_gone_on_with(qvlm, place):
    planned = qvlm("train", "--out", "new", *BOUGHT, "--dry-run")
    assert planned.status == 0, planned.err
    assert "what 2 steps would buy" in planned.out
    assert re.search(r"all steps +│ +75 │ +0 │ +2 │ +1,200", planned.out)
    planned = json.loads(qvlm("train", "--out", "new", *BOUGHT, "--dry-run", "--json").out)
    assert (planned["total"]["rows"], len(planned["steps"])) == (75, 2)
    assert not (place / "new.partial").exists()
    ended = qvlm("train", "--out", "new", *BOUGHT, "--budget-executions", "700")
    assert ended.status == 2
    assert "the budget pays for about 1 of 2 steps" in ended.out
    assert "1 of 2 steps are kept, --resume" in ended.err.splitlines()[-1]
    listed = qvlm("jobs", "list", "--store", "ledger").out
    assert all(part in listed for part in ("waiting", "new", "1/1", "training"))
    refused = qvlm("jobs", "resume", "last", "--store", "ledger")
    assert refused.status == 2 and len(refused.err.splitlines()) == 1
    _, command = refused.err.split(": ", 2)[1:]
    program, *words = shlex.split(command.removesuffix(" goes on with it\n"))
    assert (program, words[-1]) == ("qvlm", "--resume")
    assert str(place / "new") in words and str(place / "ledger") in words
    done = qvlm(*words, "--budget-executions", "9999")
    assert done.status == 0, done.err
    assert "75 rows by 2 jobs of run r-" in done.err
    assert (
        "trained 2 steps on noisy:fake_manila"
        in qvlm("jobs", "results", "last", "--store", "ledger").out
    )
    assert "done" in qvlm("jobs", "show", "last", "--store", "ledger").out
    assert qvlm("jobs", "usage", "--store", "ledger").status == 0
    assert qvlm("jobs", "retry", "last", "--store", "ledger").status == 2
