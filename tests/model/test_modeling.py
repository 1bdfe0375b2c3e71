import copy

import pytest
import torch
from qiskit.primitives import StatevectorEstimator
from qiskit_machine_learning.primitives import QMLEstimator

from qvlm_qiskit.data.batch import IGNORED
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.quantum import QuantumLayer, TorchEstimator

KINDS = ["quantum", "classical", "frozen", "none"]


@pytest.mark.parametrize("blocks", KINDS)
def test_a_forward_pass_gives_logits_and_the_loss_of_the_next_token(make_model, batch, blocks):
    model = make_model(blocks)
    output = model(**batch)
    rows, length = batch["input_ids"].shape
    assert output.logits.shape == (rows, length, 64)
    assert output.image_features.shape == (rows, 4, 16)
    shifted = batch["labels"][:, 1:].reshape(-1)
    expected = torch.nn.functional.cross_entropy(
        output.logits[:, :-1].reshape(-1, 64), shifted, ignore_index=IGNORED
    )
    torch.testing.assert_close(output.loss, expected)


@pytest.mark.parametrize("blocks", KINDS)
def test_every_trainable_parameter_gets_a_finite_gradient(make_model, batch, blocks):
    model = make_model(blocks).train()
    model(**batch).loss.backward()
    trainable = {n: p for n, p in model.named_parameters() if p.requires_grad}
    for name, parameter in trainable.items():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    frozen = set(dict(model.named_parameters())) - set(trainable)
    if blocks == "frozen":
        assert frozen == {f"{name}.weight" for name in model.quantum_layers}
    else:
        assert frozen == set()


@pytest.mark.parametrize("blocks", ["quantum", "classical"])
def test_the_blocks_and_their_gates_are_trained(make_model, batch, blocks):
    model = make_model(blocks).train()
    model(**batch).loss.backward()
    parts = [
        (name, parameter)
        for name, parameter in model.named_parameters()
        if ".core." in name or name.endswith("gate.logit") or ".reduce." in name
    ]
    assert len(parts) == 8
    for name, parameter in parts:
        assert parameter.grad.any(), name


def test_all_kinds_of_blocks_have_equally_many_parameters(make_model):
    counts = {b: sum(p.numel() for p in make_model(b).parameters()) for b in KINDS}
    assert counts["quantum"] == counts["classical"] == counts["frozen"] > counts["none"]


@pytest.mark.parametrize("blocks", KINDS)
def test_the_seed_decides_the_weights(make_model, blocks):
    one, same, other = (make_model(blocks, seed=s).state_dict() for s in (3, 3, 4))
    assert one.keys() == same.keys()
    for name in one:
        torch.testing.assert_close(one[name], same[name], rtol=0, atol=0)
    assert not torch.equal(one["lm_head.weight"], other["lm_head.weight"])
    core = "paqm.core.weight" if blocks == "classical" else "paqm.core.layer.weight"
    if blocks != "none":
        assert not torch.equal(one[core], other[core])


def test_the_weights_start_as_documented(model):
    for layer in model.quantum_layers.values():
        assert float(layer.weight.detach().abs().max()) <= 1
        assert float(layer.weight.detach().std()) > 0.2
    assert model.gate_values() == pytest.approx({"qcnn": 0.5, "paqm": 0.5})
    assert float(model.paqm.expand.weight.detach().std()) > 1
    for name, parameter in model.named_parameters():
        assert torch.isfinite(parameter).all(), name
    for name, buffer in model.named_buffers():
        assert torch.isfinite(buffer).all(), name


def test_the_blocks_are_in_the_tower_and_behind_the_embedding(model):
    assert set(model.quantum_layers) == {
        "vision.embeddings.patch_embeddings.qcnn.core.layer",
        "paqm.core.layer",
    }
    assert all(isinstance(layer, QuantumLayer) for layer in model.quantum_layers.values())


def test_one_state_dict_serves_quantum_and_frozen_models(make_model, batch):
    model, frozen = make_model("quantum", seed=1), make_model("frozen", seed=2)
    frozen.load_state_dict(model.state_dict())
    torch.testing.assert_close(frozen(**batch).logits, model(**batch).logits, rtol=0, atol=0)


@pytest.mark.parametrize("estimator", [StatevectorEstimator, QMLEstimator])
def test_another_exact_estimator_gives_the_same_logits(model, batch, estimator):
    with torch.no_grad():
        exact = model(**batch)
        with model.run_on(estimator()):
            other = model(**batch)
        again = model(**batch)
    torch.testing.assert_close(other.logits, exact.logits, atol=1e-4, rtol=0)
    torch.testing.assert_close(other.loss, exact.loss, atol=1e-4, rtol=0)
    torch.testing.assert_close(again.logits, exact.logits, atol=0, rtol=0)


def test_run_on_reaches_every_quantum_layer(model, batch):
    class Counting(StatevectorEstimator):
        calls = 0

        def run(self, pubs, *, precision=None):
            self.calls += 1
            return super().run(pubs, precision=precision)

    estimator = Counting()
    model.run_on(estimator)
    with torch.no_grad():
        model(**batch)
    assert estimator.calls == 2
    assert all(layer.active_estimator is estimator for layer in model.quantum_layers.values())


def test_double_precision_is_close_to_single(model, batch):
    single = model(**batch).logits
    with model.run_on(TorchEstimator(dtype="complex128")):
        torch.testing.assert_close(model(**batch).logits, single, atol=1e-5, rtol=0)


def test_a_copy_is_independent(model, batch):
    logits = model(**batch).logits.detach()
    other = copy.deepcopy(model)
    torch.testing.assert_close(other(**batch).logits, logits, rtol=0, atol=0)
    with torch.no_grad():
        other.paqm.core.layer.weight.add_(1)
    torch.testing.assert_close(model(**batch).logits, logits, rtol=0, atol=0)
    assert not torch.equal(other(**batch).logits, logits)


@pytest.mark.parametrize("images", [1, 5, 7])
def test_a_wrong_number_of_images_is_refused(model, batch, images):
    pixel_values = torch.zeros(images, 3, 16, 16)
    with pytest.raises(InputError, match="24 image tokens for"):
        model(input_ids=batch["input_ids"], pixel_values=pixel_values)


@pytest.mark.parametrize("pixel_values", [None, torch.zeros(0, 3, 16, 16)], ids=["none", "empty"])
def test_image_tokens_without_any_image_are_refused(model, batch, pixel_values):
    with pytest.raises(InputError, match="image"):
        model(input_ids=batch["input_ids"], pixel_values=pixel_values)


def test_images_without_a_token_are_refused(model):
    with pytest.raises(InputError, match="0 image tokens"):
        model(input_ids=torch.tensor([[1, 5, 6]]), pixel_values=torch.zeros(1, 3, 16, 16))


def test_a_model_without_input_ids_says_so(model):
    with pytest.raises(InputError, match="input_ids"):
        model(inputs_embeds=torch.zeros(1, 3, 16))


def test_text_alone_needs_no_image(model):
    output = model(input_ids=torch.tensor([[1, 5, 6]]))
    assert output.logits.shape == (1, 3, 64)
    assert output.image_features is None


def test_an_image_alone_needs_no_text(model):
    image_tokens = torch.full((1, 4), model.config.image_token_id)
    output = model(input_ids=image_tokens, pixel_values=torch.zeros(1, 3, 16, 16))
    assert output.logits.shape == (1, 4, 64)


def test_several_images_in_one_row_keep_their_order(model):
    image = model.config.image_token_id
    row = torch.tensor([[1, *[image] * 4, 7, *[image] * 4, 8]])
    pixels = torch.randn(2, 3, 16, 16)
    values = model(input_ids=row, pixel_values=pixels).logits
    swapped = model(input_ids=row, pixel_values=pixels.flip(0)).logits
    assert not torch.allclose(values, swapped)
    first = model(input_ids=row[:, :6], pixel_values=pixels[:1]).logits
    torch.testing.assert_close(values[:, :6], first)


def test_image_tokens_get_no_circuit(model, batch):
    seen = []
    model.paqm.register_forward_hook(lambda _, inputs, output: seen.append(inputs))
    model(**batch)
    ((embeddings, positions),) = seen
    text = batch["input_ids"] != model.config.image_token_id
    counted = (batch["attention_mask"].cumsum(-1) - 1)[text]
    pairs = torch.stack([batch["input_ids"][text], counted], dim=1).unique(dim=0)
    assert len(pairs) < len(counted) / 2, "each pair of a token and a position is asked once"
    torch.testing.assert_close(embeddings[0], model.decoder.embed_tokens(pairs[:, 0]))
    torch.testing.assert_close(positions[0], pairs[:, 1])


def test_text_embeddings_are_mixed_and_image_embeddings_replaced(model, batch):
    seen = []
    model.decoder.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(kwargs["inputs_embeds"]), with_kwargs=True
    )
    output = model(**batch)
    image = batch["input_ids"] == model.config.image_token_id
    positions = batch["attention_mask"].cumsum(-1) - 1
    embeddings = model.decoder.embed_tokens(batch["input_ids"])
    mixed = model.paqm(embeddings, positions)
    torch.testing.assert_close(seen[0][~image], mixed[~image])
    torch.testing.assert_close(seen[0][image], output.image_features.reshape(-1, 16))


def test_image_features_are_the_patches_in_reading_order_without_the_class_token(model):
    # without attention layers every patch is its own embedding plus that of its place
    model.vision.layers = torch.nn.ModuleList()
    pixels = torch.zeros(1, 3, 16, 16)
    features = model.get_image_features(pixels)
    assert features.shape == (1, 4, 16)
    for index, (row, column) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        changed = pixels.clone()
        changed[..., 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 1.0
        different = (model.get_image_features(changed) != features).any(-1)[0]
        assert different.nonzero().tolist() == [[index]]


def test_pixels_reach_the_answer_and_text_does_not_reach_back(model, batch):
    with torch.no_grad():
        logits = model(**batch).logits
        other = model(**{**batch, "pixel_values": batch["pixel_values"].flip(0)}).logits
        assert not torch.allclose(logits[:, -1], other[:, -1])
        changed = batch["input_ids"].clone()
        changed[:, -1] = 7
        later = model(**{**batch, "input_ids": changed}).logits
    torch.testing.assert_close(later[:, :-1], logits[:, :-1])


def test_positions_are_counted_over_attended_tokens(model, prompts):
    inputs = prompts.inputs()
    counted = (inputs["attention_mask"].cumsum(-1) - 1).clamp_min(0)
    torch.testing.assert_close(
        model(**inputs).logits, model(**inputs, position_ids=counted).logits, rtol=0, atol=0
    )


def test_padding_on_either_side_changes_no_logits(model, processor, samples):
    text = [f"{processor.tokenizer.bos_token}{processor.image_token}{samples[0].question}"]
    long = [text[0] + " is the sum on the left"]
    images = [samples[0].image]
    alone = processor(images=images, text=text, return_tensors="pt")
    length = alone["input_ids"].shape[1]
    expected = model(**alone).logits[0].detach()
    for side in ("left", "right"):
        both = processor(
            images=images * 2,
            text=text + long,
            padding=True,
            padding_side=side,
            return_tensors="pt",
        )
        logits = model(**both).logits[0]
        kept = logits[-length:] if side == "left" else logits[:length]
        torch.testing.assert_close(kept, expected, atol=1e-5, rtol=0)


def test_the_loss_of_accumulated_batches_is_divided_by_their_items(model, batch):
    items = int((batch["labels"] != IGNORED).sum())
    whole = model(**batch).loss
    torch.testing.assert_close(model(**batch, num_items_in_batch=items).loss, whole)
    torch.testing.assert_close(model(**batch, num_items_in_batch=2 * items).loss, whole / 2)


@pytest.mark.parametrize("blocks", KINDS)
def test_bfloat16_and_autocast_run_forward_and_backward(make_model, batch, blocks):
    plain = make_model(blocks)(**batch).loss.detach()
    model = make_model(blocks)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = model(**batch).loss
    mixed.backward()
    torch.testing.assert_close(mixed.detach().float(), plain, atol=0.1, rtol=0)
    half = make_model(blocks).bfloat16()
    loss = half(**batch).loss
    loss.backward()
    torch.testing.assert_close(loss.detach().float(), plain, atol=0.2, rtol=0)
    assert all(torch.isfinite(p.grad).all() for p in half.parameters() if p.grad is not None)


def test_training_works_after_a_first_evaluation_in_inference_mode(make_model, batch):
    model = make_model()
    with torch.inference_mode():
        model(**batch)
    model(**batch).loss.backward()
    assert torch.isfinite(model.paqm.core.layer.weight.grad).all()


def test_the_token_embedding_can_be_exchanged(model):
    embedding = torch.nn.Embedding(70, 16)
    model.set_input_embeddings(embedding)
    assert model.get_input_embeddings() is embedding


def test_growing_the_vocabulary_keeps_the_old_tokens(model, batch):
    logits = model(**batch).logits.detach()
    model.resize_token_embeddings(70, mean_resizing=False)
    grown = model(**batch)
    assert grown.logits.shape[-1] == 70
    torch.testing.assert_close(grown.logits[..., :64], logits)
    assert torch.isfinite(grown.loss)


@pytest.mark.parametrize(
    ("argument", "nearest"),
    [
        ("atention_mask", "attention_mask"),
        ("pixel_value", "pixel_values"),
        ("output_hidden_state", "output_hidden_states"),
        ("token_type_ids", None),
        ("interpolate_pos_encoding", None),
        ("cu_seq_lens_q", None),
    ],
)
def test_an_argument_that_would_be_ignored_is_refused(model, batch, argument, nearest):
    with pytest.raises(UnknownNameError, match=f"HybridVLM '{argument}'") as refused:
        model(**batch, **{argument: torch.ones(1)})
    assert nearest is None or f"did you mean '{nearest}'" in str(refused.value)
    model(**batch, **{argument: None})
