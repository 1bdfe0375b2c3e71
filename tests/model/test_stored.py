"""Models in files: what is stored, loaded, and begins anew."""

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

from qvlm_qiskit.model import HybridVLM, HybridVLMConfig

KINDS = ["quantum", "classical", "frozen", "none"]


def stored(model, path):
    model.save_pretrained(path)
    return HybridVLM.from_pretrained(path)


@pytest.mark.parametrize("blocks", KINDS)
def test_a_stored_model_gives_equal_logits(make_model, batch, tmp_path, blocks):
    model = make_model(blocks)
    loaded = stored(model, tmp_path)
    assert not loaded.training
    torch.testing.assert_close(loaded(**batch).logits, model(**batch).logits, rtol=0, atol=0)


@pytest.mark.parametrize("blocks", KINDS)
def test_what_is_trained_is_the_same_after_loading(make_model, tmp_path, blocks):
    model = make_model(blocks)
    loaded = stored(model, tmp_path)
    trainable = {n for n, p in model.named_parameters() if p.requires_grad}
    assert {n for n, p in loaded.named_parameters() if p.requires_grad} == trainable


def test_a_model_is_stored_as_safetensors_with_every_weight_once(model, tmp_path):
    model.save_pretrained(tmp_path)
    files = {p.name for p in tmp_path.iterdir()}
    assert files == {"config.json", "generation_config.json", "model.safetensors"}
    tensors = load_file(tmp_path / "model.safetensors")
    # experts are stored one by one, under the names that DeepSeek gave them
    numbers = sum(t.numel() for t in tensors.values())
    assert numbers == sum(t.numel() for t in model.state_dict().values())
    assert {n for n in tensors if ".core." in n} == {
        f"{name}.weight" for name in model.quantum_layers
    }


def test_a_loaded_model_is_stored_as_the_same_file(model, tmp_path):
    stored(model, tmp_path / "first").save_pretrained(tmp_path / "second")
    first, second = (tmp_path / name / "model.safetensors" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


def test_tied_embeddings_stay_tied_when_stored(make_model, batch, tmp_path):
    model = make_model(tie_word_embeddings=True)
    model.tie_weights()
    loaded = stored(model, tmp_path)
    assert loaded.lm_head.weight is loaded.decoder.embed_tokens.weight
    torch.testing.assert_close(loaded(**batch).logits, model(**batch).logits, rtol=0, atol=0)


def test_a_stored_model_is_found_by_the_auto_class(model, batch, tmp_path):
    model.save_pretrained(tmp_path)
    loaded = AutoModelForImageTextToText.from_pretrained(tmp_path)
    assert type(loaded) is HybridVLM
    torch.testing.assert_close(loaded(**batch).logits, model(**batch).logits, rtol=0, atol=0)


@pytest.mark.parametrize("blocks", ["quantum", "classical"])
def test_blocks_that_a_stored_model_lacks_start_like_new_ones(make_model, tmp_path, blocks):
    make_model("none").save_pretrained(tmp_path)
    config = make_model(blocks).config
    config.blocks["text"]["initial_gate"] = config.blocks["vision"]["initial_gate"] = 0.9
    torch.manual_seed(1)
    loaded = HybridVLM.from_pretrained(tmp_path, config=config)
    assert loaded.gate_values() == pytest.approx({"qcnn": 0.9, "paqm": 0.9})
    cores = [p.detach() for n, p in loaded.named_parameters() if ".core." in n]
    assert len(cores) == 2
    for weight in cores:
        assert float(weight.abs().max()) <= 1
        assert 0.3 < float(weight.std()) < 0.9
    assert float(loaded.paqm.expand.weight.detach().std()) > 1
    assert not loaded.paqm.expand.bias.any()


FORMS = {"vision": "qcnn(encoding=re-upload,pooling=1)", "text": "paqm(encoding=mps)"}


@pytest.mark.parametrize("blocks", ["quantum", "classical", "frozen"])
def test_a_model_of_other_encodings_is_stored_and_loaded(tmp_path, batch, blocks):
    torch.manual_seed(3)
    model = HybridVLM(HybridVLMConfig.recipe("tiny", blocks=blocks, chosen=FORMS)).eval()
    qcnn = model.block_at("vision")
    assert torch.equal(qcnn.core.angles.scale, torch.ones(1, 2))
    torch.nn.init.normal_(qcnn.core.angles.scale)
    model.save_pretrained(tmp_path)
    loaded = HybridVLM.from_pretrained(tmp_path)
    assert loaded.config.blocks == model.config.blocks
    for (name, own), other in zip(model.named_parameters(), loaded.parameters(), strict=True):
        assert torch.equal(own, other), name
        assert own.requires_grad == other.requires_grad, name
    with torch.no_grad():
        torch.testing.assert_close(loaded(**batch).logits, model(**batch).logits)


@pytest.mark.parametrize("blocks", ["quantum", "classical"])
def test_encodings_that_a_stored_model_lacks_start_like_new_ones(make_model, tmp_path, blocks):
    make_model("none").save_pretrained(tmp_path)
    config = HybridVLMConfig.recipe("tiny", blocks=blocks, chosen=FORMS)
    loaded = HybridVLM.from_pretrained(tmp_path, config=config)
    core = loaded.block_at("vision").core
    assert torch.equal(core.angles.scale.detach(), torch.ones(1, 2))
    assert not core.angles.offset.any()
    drawn = core.layer.weight if blocks == "quantum" else core.pooled.weight
    assert 0 < float(drawn.detach().abs().max()) <= 1


def test_a_stored_model_opens_in_half_precision(model, batch, tmp_path):
    model.save_pretrained(tmp_path)
    half = HybridVLM.from_pretrained(tmp_path, dtype=torch.bfloat16)
    # angles, gates and the router are not rounded; the rest is
    for name in ("paqm.core.layer.weight", "paqm.gate.logit", "decoder.layers.1.mlp.gate.weight"):
        for kept in (half, HybridVLM.from_pretrained(tmp_path).bfloat16()):
            torch.testing.assert_close(kept.get_parameter(name), model.get_parameter(name))
    assert half.lm_head.weight.dtype == torch.bfloat16
    torch.testing.assert_close(half(**batch).loss.float(), model(**batch).loss, atol=0.2, rtol=0)
