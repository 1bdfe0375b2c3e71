import shutil

import pytest

from qvlm_qiskit.training import TrainingOptions, train
from qvlm_qiskit.training.checkpoints import checkpoints, is_whole, last_checkpoint

PARTS = (
    "model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json",
)  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory, stop_at, stopped):
    """A checkpoint as it was written."""
    out = tmp_path_factory.mktemp("checkpoints") / "run"
    options = TrainingOptions(
        recipe="tiny", steps=3, batch_size=2, train_samples=4, checkpoint_every=1
    )
    with pytest.raises(stopped):
        train(options, out, track=stop_at("training", 2))
    ((step, path),) = checkpoints(out.with_name("run.partial") / "checkpoints")
    assert step == 1
    return path


@pytest.fixture
def newest(written, tmp_path):
    """The newer of two checkpoints; tests damage it."""
    for step in (9, 10):
        shutil.copytree(written, tmp_path / f"checkpoint-{step}")
    return tmp_path / "checkpoint-10"


def test_the_newest_whole_checkpoint_is_found(newest):
    assert is_whole(newest)
    assert last_checkpoint(newest.parent) == newest


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("left", [None, 0, 1, 0.5, -1])
def test_one_with_a_file_missing_or_cut_off_is_not_whole(newest, name, left):
    content = (newest / name).read_bytes()
    if left is None:
        (newest / name).unlink()
    else:
        end = int(len(content) * left) if left == 0.5 else left
        # a state that lacks its last letter, a line's end, is whole
        (newest / name).write_bytes(content.rstrip()[:end])
    assert not is_whole(newest)
    assert last_checkpoint(newest.parent).name == "checkpoint-9"


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_one_with_a_changed_byte_is_not_whole(newest, name):
    content = bytearray((newest / name).read_bytes())
    content[content.index(b"\x80\x02") + 10] ^= 255  # of the pickle
    (newest / name).write_bytes(content)
    assert not is_whole(newest)


@pytest.mark.parametrize("text", ["[]", "{}", "3", "null"])
def test_one_whose_state_is_of_something_else_is_not_whole(newest, text):
    (newest / "trainer_state.json").write_text(text)
    assert not is_whole(newest)


def test_there_may_be_none(tmp_path):
    (tmp_path / ".writing").mkdir()
    (tmp_path / "checkpoint-x").mkdir()
    assert checkpoints(tmp_path) == []
    assert last_checkpoint(tmp_path / "nowhere") is None
