import pytest

from qvlm_qiskit.data.registry import open_data
from qvlm_qiskit.evaluation.loss import answer_loss
from qvlm_qiskit.training import TrainingOptions, train
from tests.data import miniatures


@pytest.mark.parametrize("batch_size", [4, 5])
def test_all_held_out_samples_are_evaluated_whatever_the_batch(tmp_path, batch_size):
    """Two of them: less than a batch, which transformers leaves out."""
    miniatures.image_folder(tmp_path / "data", each=6, splits=("train", "val", "test"))
    options = TrainingOptions(
        recipe="tiny", steps=2, batch_size=batch_size, train_samples=12, evaluate_every=1,
        data=f"folder:{tmp_path / 'data'}",
    )  # fmt: skip
    run = train(options, tmp_path / "run")
    history = run.history()
    samples = open_data(f"folder:{tmp_path / 'data'}", "validation", 2)
    assert len(samples) == 2
    loss = answer_loss(run.model(), run.processor(), samples)
    assert min(history["held_out_loss"]) == pytest.approx(loss, rel=1e-5)
    assert all(0 <= share <= 1 for share in history["held_out_accuracy"])
