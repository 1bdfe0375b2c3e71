import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from qvlm_qiskit import __version__
from qvlm_qiskit.errors import InputError, QVLMError, RunFolderError, UnknownNameError
from qvlm_qiskit.recipes import LATER
from qvlm_qiskit.runs import Run
from qvlm_qiskit.training import TrainingOptions, build_model, checkpointed, train

SHORT = TrainingOptions(
    recipe="tiny", steps=20, batch_size=16, train_samples=100, checkpoint_every=8
)
STOP = 13  # after the checkpoint of step 8


def weights(folder):
    return load_file(folder / "model" / "model.safetensors")


def assert_same(first, second):
    assert first.keys() == second.keys()
    unequal = [name for name in first if not torch.equal(first[name], second[name])]
    assert not unequal


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """The uninterrupted training that the others are compared with."""
    return train(SHORT, tmp_path_factory.mktemp("short") / "run")


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory, stop_at, stopped):
    """A place whose training stopped in the middle; tests that use it take a copy."""
    out = tmp_path_factory.mktemp("interrupted") / "run"
    with pytest.raises(stopped):
        train(SHORT, out, track=stop_at("training", STOP))
    return out


@pytest.fixture
def place(interrupted, tmp_path):
    """An --out beside which an interrupted training lies."""
    shutil.copytree(interrupted.with_name("run.partial"), tmp_path / "run.partial")
    return tmp_path / "run"


@pytest.mark.parametrize("name", ["steps", "batch_size", "train_samples", "checkpoint_every"])
@pytest.mark.parametrize("value", [0, -3])
def test_counts_below_one_are_refused(name, value):
    with pytest.raises(InputError, match=f"{name} must be at least 1, got {value}"):
        TrainingOptions(**{name: value})


@pytest.mark.parametrize("rate", [0.0, -1e-3, float("nan"), float("inf")])
def test_learning_rates_that_are_none_are_refused(rate):
    with pytest.raises(InputError, match="learning_rate"):
        TrainingOptions(learning_rate=rate)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_out_of_range_are_refused(seed):
    with pytest.raises(InputError, match="seed"):
        TrainingOptions(seed=seed)


def test_the_largest_seed_works():
    model, _ = build_model(TrainingOptions(recipe="tiny", seed=2**32 - 1))
    assert model.quantum_layers


@pytest.mark.parametrize("wrong", [{"recipe": "medium"}, {"blocks": "quantun"}, {"data": "digit"}])
def test_a_wrong_name_is_refused_and_leaves_nothing(tmp_path, tree, wrong):
    with pytest.raises(UnknownNameError):
        train(TrainingOptions(**{"recipe": "tiny", **wrong}), tmp_path / "run")
    assert tree(tmp_path) == {}


def test_the_run_folder_is_complete_and_alone(short, tree):
    assert sorted(tree(short.path.parent)) == [
        "run/",
        "run/history.json",
        "run/model/",
        "run/model/config.json",
        "run/model/generation_config.json",
        "run/model/model.safetensors",
        "run/model/processor_config.json",
        "run/model/tokenizer.json",
        "run/model/tokenizer_config.json",
        "run/run.json",
    ]


def test_the_record_says_what_was_trained(short):
    info = json.loads((short.path / "run.json").read_text(encoding="utf-8"))
    assert info == short.info
    assert info["options"] == dataclasses.asdict(SHORT)
    assert info["package"]["qvlm-qiskit"] == __version__
    model = short.model()
    assert info["parameters"] == sum(p.numel() for p in model.parameters())
    assert info["quantum_parameters"] == sum(
        layer.weight.numel() for layer in model.quantum_layers.values()
    )
    assert info["seconds"] > 0


def test_the_history_has_a_row_per_step_and_a_gate_per_block(short):
    history = short.history()
    experts = {"load_layer1_expert0", "load_layer1_expert1"}
    gates = {"gate_qcnn", "gate_paqm"}
    assert set(history) == {"step", "loss", "learning_rate"} | gates | experts
    assert history["step"] == list(range(1, SHORT.steps + 1))
    assert {len(column) for column in history.values()} == {SHORT.steps}
    assert all(0 < value < 1 for name in ("qcnn", "paqm") for value in history[f"gate_{name}"])
    assert history["gate_qcnn"][0] == history["gate_paqm"][0] == 0.5
    assert history["gate_qcnn"][-1] != 0.5
    assert history["gate_paqm"][-1] != 0.5


def test_training_lowers_the_loss(tiny_run):
    loss = tiny_run.history()["loss"]
    assert loss[-1] < 0.7 * loss[0]


@pytest.mark.parametrize("blocks", ["classical", "frozen", "none"])
def test_the_other_kinds_of_block_train(tmp_path, blocks):
    options = TrainingOptions(recipe="tiny", blocks=blocks, steps=3, train_samples=32)
    run = train(options, tmp_path / "run")
    gates = {name for name in run.history() if name.startswith("gate_")}
    assert gates == (set() if blocks == "none" else {"gate_qcnn", "gate_paqm"})
    assert bool(run.model().quantum_layers) == (blocks == "frozen")
    before, _ = build_model(options)
    moved = {
        name: not torch.equal(tensor, before.state_dict()[name])
        for name, tensor in run.model().state_dict().items()
    }
    assert moved["lm_head.weight"]
    cores = [name for name in moved if ".core." in name]
    assert len(cores) == (0 if blocks == "none" else 2)
    assert {moved[name] for name in cores} <= {blocks == "classical"}


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_and_history(short, tmp_path):
    again = train(SHORT, tmp_path / "again")
    assert_same(weights(again.path), weights(short.path))
    assert again.history() == short.history()


@pytest.mark.slow
def test_another_seed_gives_other_weights(short, tmp_path):
    other = train(dataclasses.replace(SHORT, seed=1), tmp_path / "other")
    ours, theirs = weights(short.path), weights(other.path)
    drawn = [name for name, tensor in ours.items() if tensor.unique().numel() > 2]
    assert len(drawn) > 20
    assert not [name for name in drawn if torch.equal(ours[name], theirs[name])]


def test_a_training_set_smaller_than_a_batch_is_used_whole(tmp_path):
    options = TrainingOptions(recipe="tiny", steps=2, batch_size=64, train_samples=5)
    assert train(options, tmp_path / "run").history()["step"] == [1.0, 2.0]


def test_a_training_that_diverges_is_refused_and_leaves_no_run(tmp_path):
    options = TrainingOptions(recipe="tiny", steps=30, train_samples=64, learning_rate=1e5)
    with pytest.raises(QVLMError):
        train(options, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_progress_is_reported_for_every_step(tmp_path, watch):
    seen = []
    options = TrainingOptions(recipe="tiny", steps=4, train_samples=32)
    train(options, tmp_path / "run", track=watch(seen))
    assert seen == [("encoding samples", 32, [32]), ("training", 4, [1, 2, 3, 4])]


def test_an_exception_in_the_middle_leaves_only_the_partial_folder(interrupted):
    assert [path.name for path in interrupted.parent.iterdir()] == ["run.partial"]


def test_a_resumed_training_ends_like_an_uninterrupted_one(place, short):
    run = train(SHORT, place, resume=True)
    assert [path.name for path in place.parent.iterdir()] == ["run"]
    assert_same(weights(run.path), weights(short.path))
    assert run.history() == short.history()


def test_a_resumed_training_starts_behind_its_checkpoint(place, watch):
    seen = []
    train(SHORT, place, resume=True, track=watch(seen))
    assert seen[1:] == [("training", SHORT.steps, list(range(9, SHORT.steps + 1)))]


def test_an_interrupted_training_is_not_lost_to_one_that_is_not_resumed(place, tree):
    before = tree(place.parent)
    with pytest.raises(InputError, match="8 steps done: go on with --resume"):
        train(SHORT, place)
    assert tree(place.parent) == before


def test_an_interrupted_training_starts_over_where_that_is_asked_for(place, short):
    run = train(SHORT, place, overwrite=True)
    assert_same(weights(run.path), weights(short.path))
    assert [path.name for path in place.parent.iterdir()] == ["run"]


def test_a_training_that_left_no_checkpoint_starts_over(tmp_path, stop_at, stopped):
    with pytest.raises(stopped):
        train(QUICK, tmp_path / "run", track=stop_at("training", 1))
    train(QUICK, tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_partial_folder_with_anothers_files_is_never_cleared(place, tree):
    (place.with_name("run.partial") / "notes.txt").write_text("mine")
    before = tree(place.parent)
    for options in ({}, {"overwrite": True}, {"resume": True}):
        with pytest.raises(InputError, match=r"run\.partial holds notes\.txt"):
            train(SHORT, place, **options)
    assert tree(place.parent) == before


@pytest.mark.parametrize("name", ["notes.txt", "model/notes.json.bak", "jobs/ledger.sqlite"])
def test_a_run_folder_with_anothers_files_is_never_replaced(run_copy, tree, name):
    (run_copy / name).parent.mkdir(exist_ok=True)
    (run_copy / name).write_text("mine")
    before = tree(run_copy.parent)
    with pytest.raises(InputError, match=f"holds {name}, which qvlm didn't write"):
        train(QUICK, run_copy, overwrite=True)
    assert tree(run_copy.parent) == before


def test_a_folder_of_something_else_is_never_replaced(tmp_path, tree):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(InputError, match="thesis is not a run folder"):
        train(QUICK, tmp_path / "thesis", overwrite=True)
    assert tree(tmp_path) == before


def test_two_trainings_do_not_write_to_one_folder(tmp_path, tree):
    seen = []

    @contextmanager
    def track(what, total):
        def report(done, note=""):
            if done == 3:  # behind a checkpoint
                before = tree(tmp_path)
                for options in ({}, {"overwrite": True}, {"resume": True}):
                    with pytest.raises(InputError, match="another process is writing") as refused:
                        train(QUICK, tmp_path / "run", **options)
                    seen.append(str(refused.value))
                assert tree(tmp_path) == before

        yield report

    train(QUICK, tmp_path / "run", track=track)
    assert len(seen) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert not (tmp_path / "run" / ".lock").exists()


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"steps": 30}, {"blocks": "classical"}, {"learning_rate": 1e-2}]
)
def test_resuming_with_other_options_is_refused(place, tree, change):
    before = tree(place.parent)
    (name,) = change
    with pytest.raises(InputError, match=f"was started with {name}="):
        train(dataclasses.replace(SHORT, **change), place, resume=True)
    assert tree(place.parent) == before


def test_a_training_that_version_0_1_0_began_is_gone_on_with(place, short):
    """It knew neither data sets, blocks by name, nor noise."""
    record = place.with_name("run.partial") / "options.json"
    options = json.loads(record.read_text())
    for later in (*LATER, "backend"):
        del options[later]
    record.write_text(json.dumps(options))
    run = train(SHORT, place, resume=True)
    assert_same(weights(run.path), weights(short.path))


def test_what_tells_trainings_apart_is_as_it_was_in_version_0_1_0():
    later = set(LATER)
    assert set(SHORT.facts()) == {f.name for f in dataclasses.fields(SHORT)} - later
    named = dataclasses.replace(SHORT, text_block="paqm")
    assert named.facts() == {**SHORT.facts(), "text_block": "paqm"}


def test_resuming_nothing_is_refused_and_leaves_nothing(tmp_path, tree):
    with pytest.raises(RunFolderError, match="nothing to resume"):
        train(SHORT, tmp_path / "run", resume=True)
    assert tree(tmp_path) == {}
    (tmp_path / "run.partial").mkdir()
    with pytest.raises(RunFolderError, match="holds no checkpoint"):
        train(SHORT, tmp_path / "run", resume=True)


def test_resuming_with_damaged_options_is_refused(place):
    (place.with_name("run.partial") / "options.json").write_text("{ not json")
    with pytest.raises(QVLMError):
        train(SHORT, place, resume=True)


def test_a_checkpoint_that_was_cut_off_is_not_taken_up(place, short):
    """Killed while a checkpoint was written: the newest is incomplete, the one before whole."""
    checkpoints = place.with_name("run.partial") / "checkpoints"
    newest = shutil.copytree(checkpoints / "checkpoint-8", checkpoints / "checkpoint-16")
    for name in ("trainer_state.json", "optimizer.pt", "scheduler.pt", "rng_state.pth"):
        (newest / name).unlink()
    run = train(SHORT, place, resume=True)
    assert_same(weights(run.path), weights(short.path))
    assert [path.name for path in run.path.iterdir() if path.name == "checkpoints"] == []


@pytest.mark.parametrize("left", ["options.json", None])
def test_a_training_killed_behind_its_last_file_is_put_in_its_place(short, tmp_path, tree, left):
    out, partial = tmp_path / "run", tmp_path / "run.partial"
    shutil.copytree(short.path, partial)
    if left:
        (partial / left).write_text(
            json.dumps({**dataclasses.asdict(SHORT), "backend": "statevector"})
        )
    assert checkpointed(out) == SHORT.steps
    before = tree(tmp_path)
    with pytest.raises(InputError, match="20 steps done: go on with --resume"):
        train(SHORT, out)
    with pytest.raises(InputError, match="was started with seed=0"):
        train(dataclasses.replace(SHORT, seed=1), out, resume=True)
    assert tree(tmp_path) == before
    train(SHORT, out, resume=True)
    assert tree(out) == tree(short.path)


def test_a_training_killed_before_its_first_checkpoint_begins_again(tmp_path, stop_at, stopped):
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    whole = train(QUICK, tmp_path / "whole" / "run")
    with pytest.raises(stopped):
        train(QUICK, tmp_path / "parts" / "run", track=stop_at("training", 1))
    parts = train(QUICK, tmp_path / "parts" / "run", resume=True)
    assert_same(weights(parts.path), weights(whole.path))


def test_what_a_killed_process_left_half_written_is_not_in_the_run(place, short, tree):
    partial = place.with_name("run.partial")
    for name in (".history.json.x1", "checkpoints/.writing/checkpoint-16/optimizer.pt"):
        (partial / name).parent.mkdir(parents=True, exist_ok=True)
        (partial / name).write_bytes(b"half")
    run = train(SHORT, place, resume=True)
    assert sorted(tree(run.path)) == sorted(tree(short.path))


def test_a_refusal_keeps_what_an_interrupted_training_left(place, short, tree):
    shutil.copytree(short.path, place)
    before = tree(place.parent)
    with pytest.raises(InputError, match="exists already"):
        train(SHORT, place)
    assert tree(place.parent) == before


def test_a_folder_that_exists_is_refused_and_kept(run_copy, tree):
    before = tree(run_copy.parent)
    with pytest.raises(InputError, match="--overwrite"):
        train(SHORT, run_copy)
    assert tree(run_copy.parent) == before


def test_overwriting_keeps_the_old_run_until_the_new_one_is_whole(
    run_copy, tree, stop_at, stopped, short
):
    before = tree(run_copy)
    with pytest.raises(stopped):
        train(SHORT, run_copy, overwrite=True, track=stop_at("training", STOP))
    assert tree(run_copy) == before
    run = train(SHORT, run_copy, overwrite=True, resume=True)
    assert_same(weights(run.path), weights(short.path))
    assert [path.name for path in run_copy.parent.iterdir()] == [run_copy.name]


@pytest.mark.parametrize("name", [".", "/", ""])
def test_a_place_without_a_name_is_refused(tmp_path, monkeypatch, tree, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        train(SHORT, Path(name))
    assert tree(tmp_path) == {}


def test_a_file_where_the_partial_folder_should_be_is_refused(tmp_path):
    (tmp_path / "run.partial").write_text("mine")
    with pytest.raises(InputError):
        train(SHORT, tmp_path / "run")
    assert (tmp_path / "run.partial").read_text() == "mine"


@pytest.mark.slow
def test_kill_minus_nine_leaves_only_the_partial_folder_and_it_resumes(tmp_path):
    script = textwrap.dedent(
        f"""
        import os, signal, sys
        from contextlib import contextmanager
        from pathlib import Path
        from qvlm_qiskit.training import TrainingOptions, train

        @contextmanager
        def track(what, total):
            def report(done, note=""):
                if done == {STOP}:
                    os.kill(os.getpid(), signal.SIGKILL)
            yield report

        train({SHORT!r}, Path(sys.argv[1]), track=track)
        """
    )
    out = tmp_path / "run"
    killed = subprocess.run([sys.executable, "-c", script, str(out)], env=os.environ, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == ["run.partial"]
    with pytest.raises(RunFolderError):
        Run.open(out.with_name("run.partial"))
    train(SHORT, out, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.fixture(scope="module")
def noisy():
    from qvlm_qiskit import open_backend

    return open_backend("noisy:fake_manila", precision=0, noise_scale=2.0, seed=0)


QUICK = TrainingOptions(
    recipe="tiny", steps=4, batch_size=4, train_samples=16, checkpoint_every=2, seed=1
)


def test_training_under_noise_goes_other_ways_and_says_where(tmp_path, noisy):
    clean = train(QUICK, tmp_path / "clean")
    run = train(QUICK, tmp_path / "noisy", backend=noisy)
    assert run.info["options"] == clean.info["options"]
    assert clean.info["backend"] == {"name": "statevector"}
    assert run.info["backend"] == json.loads(json.dumps(noisy.describe()))
    assert run.info["backend"]["noise"]["noise_scale"] == 2.0
    ours, theirs = weights(run.path), weights(clean.path)
    circuits = [name for name in ours if name.endswith("core.layer.weight")]
    assert len(circuits) == 2
    assert not any(torch.equal(ours[name], theirs[name]) for name in circuits)
    # the noise was in the loss from the first step on, and the model is left without it
    assert run.history()["loss"][0] != clean.history()["loss"][0]
    assert all(q._override is None for q in run.model().quantum_layers.values())


@pytest.mark.slow
def test_training_under_noise_is_repeatable_and_resumes(tmp_path, noisy, stop_at, stopped):
    whole = train(QUICK, tmp_path / "whole", backend=noisy)
    with pytest.raises(stopped):
        train(QUICK, tmp_path / "parts", backend=noisy, track=stop_at("training", 3))
    with pytest.raises(InputError, match="was started with backend="):
        train(QUICK, tmp_path / "parts", resume=True)
    parts = train(QUICK, tmp_path / "parts", backend=noisy, resume=True)
    assert_same(weights(parts.path), weights(whole.path))


@pytest.mark.parametrize(
    ("name", "options", "change", "says"),
    [
        ("noisy:fake_manila", {"shots": 100}, {}, "without a gradient for its samples"),
        ("aer", {"shots": 100}, {}, "without a gradient for its samples"),
        ("noisy:fake_manila", {"precision": 0}, {"blocks": "classical"}, "no circuits"),
        ("noisy:fake_torino", {"precision": 0}, {"recipe": "paper"}, "11 qubits.*at most 10"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_it_starts(
    tmp_path, tree, name, options, change, says, monkeypatch
):
    from qvlm_qiskit import open_backend
    from qvlm_qiskit.model.configuration import RECIPES

    # a circuit that is too large in a model that is built in a moment
    blocks = {**RECIPES["tiny"]["blocks"], "vision": {"name": "qcnn", "num_qubits": 11}}
    monkeypatch.setitem(RECIPES, "paper", {**RECIPES["tiny"], "blocks": blocks})
    with pytest.raises(QVLMError, match=says):
        train(
            dataclasses.replace(QUICK, **change),
            tmp_path / "run",
            backend=open_backend(name, **options),
        )
    assert tree(tmp_path) == {}


def test_training_on_shots_is_repeatable_and_resumes(tmp_path, stop_at, stopped):
    from qvlm_qiskit import open_backend
    from qvlm_qiskit.quantum import SampledGradient

    options = dataclasses.replace(QUICK, steps=3, batch_size=2, train_samples=8, checkpoint_every=1)
    sampled = {
        "backend": open_backend("aer", shots=50, seed=0),
        "gradient": SampledGradient("spsa"),
    }
    whole = train(options, tmp_path / "whole", **sampled)
    with pytest.raises(stopped):
        train(options, tmp_path / "parts", track=stop_at("training", 2), **sampled)
    with pytest.raises(InputError, match="was started with gradient="):
        other = {**sampled, "gradient": SampledGradient("spsa", samples=2)}
        train(options, tmp_path / "parts", resume=True, **other)
    parts = train(options, tmp_path / "parts", resume=True, **sampled)
    assert_same(weights(parts.path), weights(whole.path))
    assert whole.info["gradient"]["method"] == "spsa"


@pytest.mark.slow
def test_training_on_a_noisy_machine_by_pruned_shifts(tmp_path):
    from qvlm_qiskit import open_backend
    from qvlm_qiskit.quantum import SampledGradient

    options = dataclasses.replace(QUICK, steps=2, batch_size=2, train_samples=8)
    backend = open_backend("noisy:fake_manila", shots=100, seed=0)
    run = train(options, tmp_path / "run", backend=backend, gradient=SampledGradient(prune=True))
    skipped = run.history()["skipped"]
    assert len(skipped) == 2 and 0 < skipped[-1] < 1


def test_exact_values_have_no_gradient_of_samples(tmp_path, noisy):
    from qvlm_qiskit.quantum import SampledGradient

    with pytest.raises(InputError, match="differentiated exactly"):
        train(QUICK, tmp_path / "run", backend=noisy, gradient=SampledGradient())
