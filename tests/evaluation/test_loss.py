import pytest

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.evaluation.loss import answer_loss


def test_the_loss_is_the_models_own_on_one_batch(model, processor, samples):
    from qvlm_qiskit.data.batch import collate, encode_training

    whole = float(model(**collate(encode_training(processor, samples))).loss.detach())
    for size in (7, 40):
        found = answer_loss(model, processor, samples, batch_size=size)
        assert found == pytest.approx(whole, rel=1e-5)
    with model.run_on(open_backend("noisy:depolarizing(0.5)", precision=0)):
        assert answer_loss(model, processor, samples) != pytest.approx(whole, rel=1e-4)
