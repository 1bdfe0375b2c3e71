"""The whole source system at the smallest size: mHC, MLA in the tower, balanced experts, autocast.

It tests no single module: what the options of a training make of the model, from the command's
options to the run folder.
"""

import dataclasses

import pytest
import torch
from safetensors.torch import load_file

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.training import TrainingOptions, train

WHOLE = TrainingOptions(
    recipe="tiny", streams=2, vision_attention="latent", router_loss=0.1, steps=12, batch_size=8,
    train_samples=40, checkpoint_every=4,
)  # fmt: skip


def weights(run):
    return load_file(run.path / "model" / "model.safetensors")


def assert_same(first, second):
    assert [n for n in first if not torch.equal(first[n], second[n])] == []


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(WHOLE, tmp_path_factory.mktemp("whole") / "run")


def test_it_is_trained_and_answers(whole):
    model = whole.model()
    assert model.config.text_config.hc_mult == 2
    assert model.config.text_config.router_aux_loss_coef == 0.1
    assert model.config.vision_attention == "latent"
    history = whole.history()
    assert {"load_layer1_expert0", "load_layer1_expert1"} <= history.keys()
    shares = zip(history["load_layer1_expert0"], history["load_layer1_expert1"], strict=True)
    assert all(abs(sum(pair) - 1) < 1e-6 for pair in shares)
    answers = whole.answering_model().answers(whole.samples("test", 3))
    assert len(answers) == 3


def test_an_interrupted_training_ends_with_the_same_weights(whole, tmp_path, stop_at, stopped):
    with pytest.raises(stopped):
        train(WHOLE, tmp_path / "run", track=stop_at("training", 7))
    assert_same(weights(train(WHOLE, tmp_path / "run", resume=True)), weights(whole))


def test_recomputed_activations_end_with_the_same_weights(whole, tmp_path):
    less = dataclasses.replace(WHOLE, recompute=True)
    assert_same(weights(train(less, tmp_path / "run")), weights(whole))


def test_autocast_trains_weights_in_single(whole, tmp_path):
    half = train(dataclasses.replace(WHOLE, precision="bf16"), tmp_path / "run")
    found, expected = weights(half), weights(whole)
    assert {tensor.dtype for tensor in found.values()} == {torch.float32}
    name = "decoder.layers.0.self_attn.o_proj.weight"
    assert not torch.equal(found[name], expected[name])
    torch.testing.assert_close(found[name], expected[name], atol=0.02, rtol=0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"streams": 0}, "streams must be 1 … 64, got 0"),
        ({"router_loss": -0.1}, "router_loss must be at least 0"),
        ({"router_loss": float("nan")}, "router_loss must be at least 0"),
        ({"vision_attention": "mla"}, "unknown vision attention 'mla'"),
        ({"precision": "int8"}, "unknown precision 'int8'"),
        ({"model": "cnn", "recompute": True}, "recompute is an option of hybrid-vlm"),
        ({"model": "cnn", "streams": 2}, "streams is an option of hybrid-vlm"),
    ],
    ids=lambda value: str(value),
)
def test_what_no_recipe_can_be_changed_to_is_refused(changes, said):
    options = {k: v for k, v in dataclasses.asdict(WHOLE).items() if "model" not in changes}
    with pytest.raises(InputError, match=said):
        TrainingOptions(**{**options, **changes})


def test_fp16_without_a_gpu_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="fp16 needs a GPU"):
        train(dataclasses.replace(WHOLE, precision="fp16"), tmp_path / "run")
    assert not list(tmp_path.iterdir())
