"""A promise of model and data together: transformers' own ``Trainer`` trains."""

import math

import numpy as np
import pytest
import torch
from transformers import Trainer, TrainingArguments

from qvlm_qiskit.data import encode_training
from qvlm_qiskit.data.batch import collate
from qvlm_qiskit.model import HybridVLM


def trainer(model, processor, samples, path, **options):
    arguments = TrainingArguments(
        output_dir=str(path),
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        save_strategy="no",
        seed=5,
        learning_rate=1e-2,
        **{"max_steps": 2, "per_device_train_batch_size": 3, **options},
    )
    return Trainer(
        model=model,
        args=arguments,
        train_dataset=encode_training(processor, samples),
        eval_dataset=encode_training(processor, samples),
        data_collator=collate,
        processing_class=processor,
    )


@pytest.mark.parametrize("blocks", ["quantum", "frozen"])
def test_two_steps_change_the_weights_and_the_loss(
    make_model, processor, samples, tmp_path, blocks
):
    model = make_model(blocks)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    run = trainer(model, processor, samples, tmp_path)
    start = run.evaluate()["eval_loss"]
    result = run.train()
    assert result.global_step == 2
    assert math.isfinite(result.training_loss)
    assert run.evaluate()["eval_loss"] < start
    changed = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    cores = {f"{name}.weight" for name in model.quantum_layers}
    assert cores.isdisjoint(changed) if blocks == "frozen" else cores <= changed
    assert "lm_head.weight" in changed


def test_training_is_the_seeds(make_model, processor, samples, tmp_path):
    losses = [
        trainer(make_model(), processor, samples, tmp_path / str(i)).train().training_loss
        for i in range(2)
    ]
    assert losses[0] == losses[1]


def test_accumulated_steps_train_like_one_larger_batch(make_model, processor, samples, tmp_path):
    whole, parts = make_model(), make_model()
    trainer(whole, processor, samples, tmp_path / "whole", per_device_train_batch_size=6).train()
    trainer(parts, processor, samples, tmp_path / "parts", gradient_accumulation_steps=2).train()
    for name, parameter in whole.named_parameters():
        torch.testing.assert_close(
            dict(parts.named_parameters())[name], parameter, atol=1e-3, rtol=0, msg=name
        )


def test_what_the_trainer_saves_can_be_loaded(make_model, processor, samples, batch, tmp_path):
    model = make_model()
    run = trainer(model, processor, samples, tmp_path)
    run.train()
    run.save_model(str(tmp_path / "final"))
    model.eval()
    loaded = HybridVLM.from_pretrained(tmp_path / "final")
    torch.testing.assert_close(loaded(**batch).logits, model(**batch).logits, rtol=0, atol=0)
    assert (tmp_path / "final/processor_config.json").exists()


class Subclass(HybridVLM):
    """A model of a user's own."""


@pytest.mark.parametrize("kind", [HybridVLM, Subclass])
def test_label_smoothing_is_of_the_next_token(make_model, processor, samples, tmp_path, kind):
    model = kind(make_model().config)
    plain = trainer(model, processor, samples, tmp_path).evaluate()["eval_loss"]
    for smoothing in (1e-7, 0.2):
        run = trainer(model, processor, samples, tmp_path, label_smoothing_factor=smoothing)
        assert run.evaluate()["eval_loss"] == pytest.approx(
            smoothed(model, run.eval_dataset, smoothing), abs=1e-5
        )
    assert smoothed(model, run.eval_dataset, 0) == pytest.approx(plain, abs=1e-5)


def smoothed(model, rows, smoothing):
    """The mean over labels of the cross entropy with smoothed targets."""
    batch = collate(rows)
    labels = batch.pop("labels")[:, 1:].reshape(-1)
    with torch.no_grad():
        logits = model.eval()(**batch).logits[:, :-1].reshape(len(labels), -1)
    loss = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    return float(loss)


def test_predictions_are_the_logits(make_model, processor, samples, tmp_path):
    model = make_model()
    run = trainer(model, processor, samples, tmp_path, per_device_eval_batch_size=4)
    predicted = run.predict(run.eval_dataset)
    batch = collate(run.eval_dataset)
    with torch.no_grad():
        expected = model.eval()(**batch).logits.numpy()
    np.testing.assert_allclose(predicted.predictions, expected, atol=1e-5)
