import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from qvlm_qiskit.training import TrainingOptions, train
from qvlm_qiskit.training.checkpoints import is_whole
from tests.data import miniatures

ROOT = Path(__file__).parents[2]
OPTIONS = TrainingOptions(recipe="tiny", steps=4, batch_size=2, train_samples=4, checkpoint_every=2)


def test_a_checkpoint_that_is_not_written_to_its_end_has_no_place(tmp_path, monkeypatch):
    save, seen = torch.save, []

    def full(value, file, *arguments, **options):
        seen.append(str(file))
        if "checkpoint-4" in str(file) and "scheduler" in str(file):
            raise OSError(28, "No space left on device", str(file))
        save(value, file, *arguments, **options)

    whole = train(OPTIONS, tmp_path / "whole")
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        train(OPTIONS, tmp_path / "run")
    assert any("checkpoint-4/scheduler.pt" in name for name in seen)
    folder = tmp_path / "run.partial" / "checkpoints"
    assert sorted(path.name for path in folder.iterdir()) == [".writing", "checkpoint-2"]
    assert is_whole(folder / "checkpoint-2")
    monkeypatch.undo()
    run = train(OPTIONS, tmp_path / "run", resume=True)
    ours, theirs = (load_file(r.path / "model" / "model.safetensors") for r in (run, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_the_best_checkpoint_is_found_where_the_folder_was_moved(tmp_path, stop_at, stopped):
    """A rate at which the second of three evaluations is the best."""
    miniatures.image_folder(tmp_path / "data", each=6, splits=("train", "val", "test"))
    options = TrainingOptions(
        recipe="tiny", steps=6, batch_size=4, train_samples=12, data=f"folder:{tmp_path / 'data'}",
        evaluate_every=2, learning_rate=0.4, schedule="constant", warmup_steps=0,
    )  # fmt: skip
    whole = train(options, tmp_path / "whole")
    losses = whole.history()["held_out_loss"]
    assert losses.index(min(losses)) == 1
    with pytest.raises(stopped):
        train(options, tmp_path / "a" / "run", track=stop_at("training", 6))
    kept = tmp_path / "a" / "run.partial" / "checkpoints"
    assert sorted(path.name for path in kept.iterdir()) == ["checkpoint-4"]
    state = json.loads((kept / "checkpoint-4" / "trainer_state.json").read_text())
    assert state["best_model_checkpoint"] == str(kept / "checkpoint-4")
    shutil.move(tmp_path / "a", tmp_path / "b")
    run = train(options, tmp_path / "b" / "run", resume=True)
    ours, theirs = (load_file(r.path / "model" / "model.safetensors") for r in (run, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.slow
def test_a_training_killed_at_any_write_ends_with_the_same_weights():
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.kill_everywhere", "--every", "8"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.stdout.endswith("all the same\n"), done.stdout[-3000:] + done.stderr[-3000:]
    assert done.returncode == 0
