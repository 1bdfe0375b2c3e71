from types import SimpleNamespace

import pytest
import torch

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.training import TrainingOptions, checks
from qvlm_qiskit.training.checks import check_disk

MB = 10**6


@pytest.fixture
def free(monkeypatch):
    """Says how many bytes the disk has left."""

    def left(size):
        found = SimpleNamespace(free=size)
        monkeypatch.setattr(checks.shutil, "disk_usage", lambda place: found)

    return left


def test_the_room_that_is_needed_is_that_of_weights_moments_and_what_is_kept(tmp_path, free):
    model = torch.nn.Linear(1000, 1000, bias=False)  # 4 MB, and 8 MB of moments
    one = 3 * 4 * MB + checks.SMALL_FILES
    place = tmp_path / "run.partial" / "checkpoints"
    for options, needed in (
        (TrainingOptions(), 2 * one + 4 * MB),
        (TrainingOptions(evaluate_every=5), 3 * one + 4 * MB),
    ):
        free(needed)
        check_disk(model, options, place)
        free(needed - 1)
        with pytest.raises(InputError, match=r"checkpoints of 13\.0 MB and the run take"):
            check_disk(model, options, place)
    model.requires_grad_(False)
    free(2 * (4 * MB + checks.SMALL_FILES) + 4 * MB)
    check_disk(model, TrainingOptions(), place)


def test_what_an_interrupted_training_has_written_already_needs_no_more_room(tmp_path, free):
    model = torch.nn.Linear(1000, 1000, bias=False)
    place, one = tmp_path / "run.partial" / "checkpoints", 3 * 4 * MB + checks.SMALL_FILES
    (place / "checkpoint-8").mkdir(parents=True)
    (place / "checkpoint-8" / "all").write_bytes(bytes(one))
    free(one + 4 * MB)
    check_disk(model, TrainingOptions(), place)
    free(one + 4 * MB - 1)
    with pytest.raises(InputError, match="make room or choose another --out"):
        check_disk(model, TrainingOptions(), place)
