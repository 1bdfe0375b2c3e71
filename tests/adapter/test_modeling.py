import json

import pytest
import torch
import transformers as tf

from qvlm_qiskit.adapter import ProjectionConfig, QuantumVisionLanguageModel
from qvlm_qiskit.adapter.captioning import learned_batch, prompt_batch
from qvlm_qiskit.adapter.decoders import open_tokenizer
from qvlm_qiskit.adapter.modeling import SOURCE_FILES
from qvlm_qiskit.adapter.towers import VisionTower
from qvlm_qiskit.basics.bars import no_transformers_bars
from qvlm_qiskit.errors import InputError
from tests.adapter import hubs

SMALL = ProjectionConfig(num_qubits=2, num_layers=1)
PAIRS = [("which fruit is it", "a red apple"), ("describe the image:", "a blue pear")]
TOWERS = tuple(hubs.towers())
LANGUAGES = tuple(hubs.languages(1))


@pytest.fixture(autouse=True)
def quiet():
    with no_transformers_bars():
        yield


def built(hub, language="llama", width=16, config=SMALL, adapter="lora(r=2,lora_dropout=0)"):
    torch.manual_seed(0)
    return QuantumVisionLanguageModel(str(hub / language), width, config, adapter)


def batch_of(hub, language, features):
    return {"features": features, **learned_batch(open_tokenizer(str(hub / language)), PAIRS)}


def whole_way(hub, tower, language, pictures, folder):
    """One training step, beams, and back from disk."""
    features = VisionTower(str(hub / tower)).features(pictures[:2])
    model = built(hub, language)
    batch = batch_of(hub, language, features)
    before = model.train()(**batch).loss
    before.backward()
    trained = {n for n, p in model.named_parameters() if p.grad is not None}
    assert trained == {n for n, p in model.named_parameters() if p.requires_grad}
    assert all("lora" in name or name.startswith("projection") for name in trained)
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.05).step()
    assert model(**batch).loss < before
    prompts = prompt_batch(open_tokenizer(str(hub / language)), [p for p, _ in PAIRS])
    model.eval()
    with torch.no_grad():
        logits = model(**batch).logits
    answers = model.generate(features, **prompts, num_beams=3, max_new_tokens=4, pad_token_id=1)
    assert answers.shape[0] == 2
    model.save_pretrained(folder)
    assert sum(file.stat().st_size for file in folder.iterdir()) < 100_000
    again = QuantumVisionLanguageModel.from_pretrained(folder)
    with torch.no_grad():
        torch.testing.assert_close(again(**batch).logits, logits, atol=0, rtol=0)


@pytest.mark.parametrize(
    ("tower", "language"), [("clip", "llama"), ("siglip", "gpt2"), ("vit", "llama-bf16")]
)
def test_a_tower_and_a_language_model(hub, pictures, tmp_path, tower, language):
    whole_way(hub, tower, language, pictures, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("tower", TOWERS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_all_towers_and_language_models(hub, pictures, tmp_path, tower, language):
    whole_way(hub, tower, language, pictures, tmp_path)


def test_vision_tokens_stand_in_front_and_are_never_learned(hub):
    model = built(hub, config=ProjectionConfig(num_qubits=2, tokens=3)).eval()
    batch = batch_of(hub, "llama", torch.randn(2, 16))
    tokens = batch["input_ids"].shape[1]
    found = model(**batch)
    assert found.logits.shape[1] == tokens + 3
    text = model.decoder.get_input_embeddings()(batch["input_ids"])
    embeddings, mask = model.embedded(**{k: v for k, v in batch.items() if k != "labels"})
    torch.testing.assert_close(embeddings[:, 3:], text)
    torch.testing.assert_close(embeddings[:, :3], model.projection(batch["features"]))
    assert mask[:, :3].all()
    shifted = torch.nn.functional.cross_entropy(
        found.logits[:, 2:-1].flatten(0, 1), batch["labels"].flatten(), ignore_index=-100
    )
    torch.testing.assert_close(found.loss, shifted)


def test_padding_on_the_left_changes_no_answer(hub):
    model, words = built(hub).eval(), open_tokenizer(str(hub / "llama"))
    features, prompts = torch.randn(2, 16), ["which fruit is it", "fruit"]
    how = {"max_new_tokens": 5, "pad_token_id": 1, "num_beams": 3}
    both = model.generate(features, **prompt_batch(words, prompts), **how)
    for row in range(2):
        alone = model.generate(
            features[row : row + 1], **prompt_batch(words, prompts[row : row + 1]), **how
        )
        assert both[row, : alone.shape[1]].tolist() == alone[0].tolist()


def test_the_circuit_runs_once_for_a_picture(hub):
    model, calls = built(hub).eval(), []
    model.projection.core.register_forward_hook(lambda _, given, __: calls.append(len(given[0])))
    prompts = prompt_batch(open_tokenizer(str(hub / "llama")), ["fruit", "fruit"])
    model.generate(torch.randn(2, 16), **prompts, max_new_tokens=7, num_beams=3, pad_token_id=1)
    assert calls == [2]


def test_its_weights_are_adapter_and_projection_alone(hub):
    model = built(hub)
    names = set(model.state_dict())
    assert names == {n for n, p in model.named_parameters() if p.requires_grad}
    other = built(hub)
    for parameter in other.parameters():
        if parameter.requires_grad:
            parameter.data.zero_()
    other.load_state_dict(model.state_dict())
    for name, tensor in other.state_dict().items():
        torch.testing.assert_close(tensor, model.state_dict()[name])
    with pytest.raises(RuntimeError, match="missing"):
        other.load_state_dict({})


@pytest.mark.parametrize("place", ["inside", "above"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_the_sources_maps_are_read_where_it_puts_them(hub, tmp_path, place, dtype):
    torch.manual_seed(1)
    maps = {"projector": torch.nn.Linear(16, 512), "gate": torch.nn.Linear(512, 16)}
    folder = tmp_path / "finetuned"
    folder.mkdir()
    for part, file in SOURCE_FILES.items():
        state = maps[part].to(dtype).state_dict()
        torch.save(state, (folder if place == "inside" else tmp_path) / file)
    model = built(hub, config=ProjectionConfig(kind="linear"))
    model.load_source(folder)
    features = torch.randn(3, 16)
    expected = maps["gate"].float()(maps["projector"].float()(features))
    torch.testing.assert_close(model.projection(features)[:, 0], expected)


def test_a_source_of_other_sizes_is_refused_with_both_shapes(hub, tmp_path):
    torch.save(torch.nn.Linear(16, 512).state_dict(), tmp_path / "proj_final.pt")
    torch.save(torch.nn.Linear(512, 4096).state_dict(), tmp_path / "gate_final.pt")
    model = built(hub, config=ProjectionConfig(kind="linear"))
    with pytest.raises(InputError, match=r"\(4096, 512\), this model's has \(16, 512\)"):
        model.load_source(tmp_path)
    with pytest.raises(InputError, match="kind 'linear'"):
        built(hub).load_source(tmp_path)
    (tmp_path / "gate_final.pt").unlink()
    with pytest.raises(InputError, match=r"there is no gate_final\.pt"):
        model.load_source(tmp_path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"language": "nowhere"}, "no language model can be opened from"),
        ({"adapter": "lorra"}, "unknown adapter 'lorra': did you mean 'lora'"),
        (
            {"adapter": "lora(target_modules=qproj)"},
            r"unknown target module 'qproj': did you mean 'q_proj'\? "
            r"\(known: down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj\)",
        ),
        ({"adapter": "lora(target_modules=q_proj+)"}, "unknown target module ''"),
        ({"language": "torn/torn.gguf"}, r"no language model can be opened from .*torn\.gguf: "),
        ({"language": "llama/gone.gguf"}, r"no language model can be opened from .*gone\.gguf: "),
        ({"language": "clip"}, "no language model can be opened from .*clip: Unrecognized"),
        (
            {"config": ProjectionConfig(num_qubits=3, encoding="amplitude")},
            "3 qubits have 8 amplitudes, and there are 16 features",
        ),
        ({"adapter": "lora(rank=3)"}, r"unknown option of lora\(rank=3\) 'rank'"),
        ({"adapter": "lora(r=many)"}, "r is a number"),
    ],
)
def test_what_can_not_be_put_together_is_one_line(hub, changes, says):
    with pytest.raises(InputError, match=says) as caught:
        built(hub, **changes)
    assert "\n" not in str(caught.value)


def test_features_of_another_width_are_refused(hub):
    model = built(hub)
    batch = batch_of(hub, "llama", torch.randn(2, 17))
    with pytest.raises(InputError, match="takes 16 features of a picture, got 17"):
        model(**batch)
    seen = built(hub, config=ProjectionConfig(num_qubits=2, attention="values"))
    with pytest.raises(InputError, match=r"takes regions of pictures.* got \(2, 16\)"):
        seen(**{**batch, "features": torch.randn(2, 16)})


def test_projections_of_another_width_are_refused_with_both_shapes(hub, tmp_path):
    built(hub, width=20).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"has the shape \(2, 20\), this model's has \(2, 16\)"):
        built(hub).load_adapter(tmp_path)


def test_a_folder_from_before_there_were_variants_is_opened(hub, tmp_path):
    model = built(hub).eval()
    model.save_pretrained(tmp_path)
    about = json.loads((tmp_path / "config.json").read_text())
    for name in ("attention", "encoding"):
        del about["projection"][name]
    (tmp_path / "config.json").write_text(json.dumps(about))
    again = QuantumVisionLanguageModel.from_pretrained(tmp_path)
    batch = batch_of(hub, "llama", torch.randn(2, 16))
    with torch.no_grad():
        assert torch.equal(again(**batch).logits, model(**batch).logits)


def test_a_base_model_that_can_not_be_saved_need_not_be(hub, tmp_path, monkeypatch):
    """As transformers refuses to save what it has read from a .gguf file."""

    def refuse(*_, **__):
        raise NotImplementedError("quantized with gguf and is not serializable")

    monkeypatch.setattr(tf.PreTrainedModel, "save_pretrained", refuse)
    model = built(hub).eval()
    model.save_pretrained(tmp_path)
    again = QuantumVisionLanguageModel.from_pretrained(tmp_path)
    batch = batch_of(hub, "llama", torch.randn(2, 16))
    with torch.no_grad():
        assert torch.equal(again(**batch).logits, model(**batch).logits)


def test_a_folder_of_something_else_or_of_other_sizes_is_refused(hub, tmp_path):
    with pytest.raises(InputError, match="holds no adapter"):
        QuantumVisionLanguageModel.from_pretrained(tmp_path)
    built(hub).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"has the shape \(2, 16\), this model's has"):
        built(hub, adapter="lora(r=3)").load_adapter(tmp_path)


@pytest.mark.parametrize(
    "adapter",
    [
        "hra(r=2)",
        "delora(r=2)",
        "quantum-lora(r=2)",
        "tera",
        "qwha(coefficients=20)",
        "transformed-lora",
    ],
)
def test_other_tuners_stand_in_place_of_lora(hub, tmp_path, adapter):
    """Of peft, and of this package."""
    model = built(hub, adapter=adapter)
    batch = batch_of(hub, "llama", torch.randn(2, 16))
    model.train()(**batch).loss.backward()
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.1).step()
    model.eval().save_pretrained(tmp_path)
    again = QuantumVisionLanguageModel.from_pretrained(tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(again(**batch).logits, model(**batch).logits, atol=0, rtol=0)
    assert len(model.quantum_layers) == (5 if adapter.startswith("quantum") else 1)


def test_a_tokenizer_without_an_end_is_refused(hub):
    with pytest.raises(InputError, match="no token that ends a text"):
        open_tokenizer(str(hub / "endless"))
    assert open_tokenizer(str(hub / "llama")).pad_token == "</s>"
    assert tf.AutoTokenizer.from_pretrained(hub / "llama").pad_token is None
