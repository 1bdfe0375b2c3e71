import numpy as np
import pytest
import torch

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.data.batch import encode_training
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation.loss import answer_loss, token_scores


def test_the_loss_is_the_models_own_on_one_batch(model, processor, samples):
    from qvlm_qiskit.data.batch import collate, encode_training

    whole = float(model(**collate(encode_training(processor, samples))).loss.detach())
    for size in (7, 40):
        found = answer_loss(model, processor, samples, batch_size=size)
        assert found == pytest.approx(whole, rel=1e-5)
    with model.run_on(open_backend("noisy:depolarizing(0.5)", precision=0)):
        assert answer_loss(model, processor, samples) != pytest.approx(whole, rel=1e-4)


def test_tokens_are_scored_one_by_one(model, processor, samples):
    """The slow twin: one sample and one token after another, without padding."""
    found = token_scores(model, processor, samples[:6], batch_size=4)
    for index, row in enumerate(encode_training(processor, samples[:6])):
        length = int(row["attention_mask"].sum())
        batch = {name: row[name][None, :length] for name in ("input_ids", "attention_mask")} | {
            "pixel_values": row["pixel_values"][None]
        }
        with torch.inference_mode():
            chances = model(**batch).logits[0].double().log_softmax(dim=-1)
        places = [t for t in range(1, length) if row["labels"][t] != -100]
        tokens = [int(row["labels"][t]) for t in places]
        before = chances[[t - 1 for t in places]]
        loss = -sum(float(before[i, token]) for i, token in enumerate(tokens))
        right = sum(int(before[i].argmax()) == token for i, token in enumerate(tokens))
        assert found.loss[index] == pytest.approx(loss, rel=1e-4)
        assert (found.right[index], found.tokens[index]) == (right, len(tokens))


def test_every_sample_has_its_answers_tokens_and_their_end(model, processor, samples):
    found = token_scores(model, processor, samples)
    words = [len(processor.tokenizer(s.answer)["input_ids"]) for s in samples]
    np.testing.assert_array_equal(found.tokens, np.array(words) + 1)
    assert (found.right <= found.tokens).all()


@pytest.mark.parametrize(("count", "size"), [(0, 4), (2, 0)])
def test_no_samples_have_no_tokens(model, processor, samples, count, size):
    with pytest.raises(InputError, match="a loss needs samples"):
        token_scores(model, processor, samples[:count], batch_size=size)
