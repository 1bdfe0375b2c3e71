import json

import pytest
import torch
from transformers import AutoConfig
from transformers.models.deepseek_v3 import DeepseekV3Config
from transformers.models.vit import ViTConfig

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.model import RECIPES, HybridVLM, HybridVLMConfig


def test_the_recipes_are_named():
    assert set(RECIPES) == {"tiny", "small", "paper"}


@pytest.mark.parametrize("name", ["tiny", "small"])
@pytest.mark.parametrize("blocks", ["quantum", "classical", "frozen", "none"])
def test_every_recipe_is_a_model(name, blocks):
    config = HybridVLMConfig.recipe(name, vocab_size=50, blocks=blocks)
    model = HybridVLM(config)
    assert model.lm_head.out_features == 50
    assert len(model.quantum_layers) == (2 if blocks in ("quantum", "frozen") else 0)
    assert set(model.gate_values()) == (set() if blocks == "none" else {"qcnn", "paqm"})


def test_the_paper_recipe_has_the_sources_sizes():
    config = HybridVLMConfig.recipe("paper", vocab_size=32000)
    with torch.device("meta"):
        model = HybridVLM(config)
    vision, text = config.vision_config, config.text_config
    assert (vision.hidden_size, vision.num_attention_heads, vision.num_hidden_layers) == (768, 8, 8)
    assert (text.hidden_size, text.num_attention_heads, text.num_hidden_layers) == (1024, 8, 8)
    assert (text.n_routed_experts, text.num_experts_per_tok, text.vocab_size) == (4, 1, 32000)
    assert model.lm_head.weight.shape == (32000, 1024)
    qubits = {
        name.split(".")[-3]: layer.neural_network.circuit.num_qubits
        for name, layer in model.quantum_layers.items()
    }
    assert qubits == {"qcnn": 12, "paqm": 6}
    assert all(p.is_meta for p in model.parameters())
    assert config.num_image_tokens == 196


def test_the_paper_recipe_has_the_published_number_of_parameters():
    """571.33M and 288.06M active ones, with GPT-2's tokens and five more; see `RECIPES`."""
    config = HybridVLMConfig.recipe("paper", vocab_size=50_262)
    with torch.device("meta"):
        model = HybridVLM(config)
    sizes = {name: p.numel() for name, p in model.named_parameters()}
    total = sum(sizes.values())
    idle = sum(size for name, size in sizes.items() if ".experts." in name) * 3 // 4
    assert (total, total - idle) == (572_370_031, 289_254_511)
    assert abs(total / 571.33e6 - 1) < 0.002
    assert abs((total - idle) / 288.06e6 - 1) < 0.0045
    assert config.text_config.hc_mult == 4
    streams = sum(size for name, size in sizes.items() if "hc" in name)
    assert streams == 1_589_685


@pytest.mark.parametrize(
    ("blocks", "kinds"),
    [
        ("frozen", {"vision": "frozen", "text": "frozen"}),
        ("vision=none", {"text": "quantum"}),
        ("text=classical, vision=frozen", {"vision": "frozen", "text": "classical"}),
        ("vision=none,text=none", {}),
    ],
)
def test_one_key_says_what_every_block_is(blocks, kinds):
    config = HybridVLMConfig.recipe("tiny", blocks=blocks)
    assert {place: options["kind"] for place, options in config.blocks.items()} == kinds
    assert HybridVLM(config).blocks.keys() == {
        {"vision": "vision.embeddings.patch_embeddings.qcnn", "text": "paqm"}[place]
        for place in kinds
    }


@pytest.mark.parametrize(
    ("blocks", "error", "said"),
    [
        ("vision=frozn", UnknownNameError, "unknown kind of block 'frozn': did you mean 'frozen'"),
        ("txt=none", UnknownNameError, "unknown place 'txt': did you mean 'text'"),
        ("text=none,text=frozen", InputError, "names text twice"),
    ],
)
def test_kinds_of_no_block_are_refused(blocks, error, said):
    with pytest.raises(error, match=said):
        HybridVLMConfig.recipe("tiny", blocks=blocks)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"num_attention_heads": 3}, "16 channels can't be divided among 3 heads"),
        ({"image_size": 20}, "20 pixels are not filled by patches of 8"),
    ],
)
def test_a_tower_whose_sizes_do_not_fit_is_refused(sizes, said):
    given = HybridVLMConfig.recipe("tiny").to_dict()
    given["vision_config"] |= sizes
    with pytest.raises(InputError, match=said):
        HybridVLMConfig(**given)


def test_the_config_is_made_of_transformers_own():
    config = HybridVLMConfig.recipe("tiny")
    assert isinstance(config.vision_config, ViTConfig)
    assert isinstance(config.text_config, DeepseekV3Config)
    assert config.num_image_tokens == 4


@pytest.mark.parametrize("blocks", ["quantum", "none"])
def test_a_config_survives_being_stored(tmp_path, blocks):
    config = HybridVLMConfig.recipe("small", vocab_size=99, blocks=blocks)
    config.save_pretrained(tmp_path)
    for loaded in (HybridVLMConfig.from_pretrained(tmp_path), AutoConfig.from_pretrained(tmp_path)):
        assert isinstance(loaded, HybridVLMConfig)
        assert loaded.blocks == config.blocks
        assert loaded.text_config.to_dict() == config.text_config.to_dict()
        assert loaded.vision_config.to_dict() == config.vision_config.to_dict()


def test_recipes_do_not_share_what_they_hand_out():
    first = HybridVLMConfig.recipe("tiny")
    first.blocks["vision"]["num_qubits"] = 7
    first.text_config.hidden_size = 1
    second = HybridVLMConfig.recipe("tiny")
    assert second.blocks["vision"]["num_qubits"] == 2
    assert second.text_config.hidden_size == 16
    assert "kind" not in RECIPES["tiny"]["blocks"]["vision"]


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        ({"name": "tinny"}, "tiny"),
        ({"name": "tiny", "blocks": "quantun"}, "quantum"),
        ({"name": "tiny", "blocks": "non"}, "none"),
    ],
)
def test_an_unknown_recipe_or_kind_of_block_names_the_nearest(arguments, nearest):
    with pytest.raises(UnknownNameError, match=f"did you mean '{nearest}'"):
        HybridVLMConfig.recipe(**arguments)


def test_an_unknown_block_option_names_the_nearest():
    config = HybridVLMConfig.recipe("tiny")
    config.blocks["text"] = {"name": "paqm", "num_qubit": 2}
    with pytest.raises(UnknownNameError, match="did you mean 'num_qubits'"):
        HybridVLM(config)


@pytest.mark.parametrize("blocks", ["quantum", "none"])
def test_what_version_0_1_0_stored_is_read(tmp_path, blocks):
    """It had a key for each of its two blocks, null where there was none."""
    config = HybridVLMConfig.recipe("tiny", blocks=blocks)
    config.save_pretrained(tmp_path)
    stored = json.loads((tmp_path / "config.json").read_text())
    assert stored.pop("blocks") == config.blocks
    sizes = {"num_qubits": 2, "num_layers": 1, "kind": blocks}
    stored["qcnn"] = stored["paqm"] = None if blocks == "none" else sizes
    (tmp_path / "config.json").write_text(json.dumps(stored))
    loaded = HybridVLMConfig.from_pretrained(tmp_path)
    assert loaded.blocks == config.blocks
    assert loaded.to_dict() == config.to_dict() | {"_name_or_path": loaded._name_or_path}


def test_a_place_without_a_block_is_left_out():
    config = HybridVLMConfig.recipe("tiny")
    del config.blocks["text"]
    model = HybridVLM(config)
    assert list(model.gate_values()) == ["qcnn"]
    assert model.block_at("text") is None
    assert model.block_at("vision").place == "vision"


def test_an_unknown_place_names_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'vision'"):
        HybridVLMConfig(blocks={"visio": {"name": "qcnn"}})
    with pytest.raises(UnknownNameError, match="did you mean 'text'"):
        HybridVLMConfig.recipe("tiny", chosen={"texts": "paqm"})


def test_a_recipe_takes_another_block_at_its_place_only():
    assert HybridVLMConfig.recipe("tiny", chosen={"text": "paqm"}).blocks == (
        HybridVLMConfig.recipe("tiny").blocks
    )
    with pytest.raises(InputError, match="'qcnn' stands at 'vision', not at 'text'"):
        HybridVLMConfig.recipe("tiny", chosen={"text": "qcnn"})
    with pytest.raises(UnknownNameError, match="did you mean 'paqm'"):
        HybridVLMConfig.recipe("tiny", chosen={"text": "pacm"})


def test_a_chosen_block_has_the_recipes_sizes_and_what_is_said_of_it():
    chosen = {"vision": "qcnn(encoding=mps,pooling=1)", "text": "paqm(num_layers=3)"}
    config = HybridVLMConfig.recipe("tiny", blocks="classical", chosen=chosen)
    assert config.blocks == {
        "vision": {
            "name": "qcnn", "num_qubits": 2, "num_layers": 1, "encoding": "mps", "pooling": 1,
            "kind": "classical",
        },
        "text": {"name": "paqm", "num_qubits": 2, "num_layers": 3, "kind": "classical"},
    }  # fmt: skip


def test_a_block_of_tokens_takes_as_many_as_an_image_has_patches():
    chosen = {"vision": "fast-weights(tokens=9)"}
    said = r"'fast-weights' takes 9 tokens, and a picture here has 4 patches: say fast-weights\(tok"
    for kind in ("quantum", "classical", "frozen"):
        with pytest.raises(InputError, match=said):
            HybridVLMConfig.recipe("tiny", blocks=kind, chosen=chosen)
        larger = HybridVLMConfig.recipe("tiny", blocks=kind, chosen=chosen, image_size=24)
        assert larger.num_image_tokens == 9
    assert HybridVLMConfig.recipe("tiny", blocks="none", chosen=chosen).blocks == {}


def test_a_model_of_a_written_configuration_is_refused_likewise():
    config = HybridVLMConfig.recipe("tiny")
    config.blocks["vision"] = {"name": "token-circuit", "tokens": 8}
    with pytest.raises(InputError, match="takes 8 tokens, and a picture here has 4 patches"):
        HybridVLM(config)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("qcnn(encoding=msp)", "did you mean 'mps'"),
        ("qcnn(pooling=2)", "pooling=2 is more than num_qubits=2 allows"),
        ("qcnn(encoding=mps,bond=4)", "bond dimension of 4 needs at least 4 qubits, got 2"),
        ("qcnn(kind=frozen)", "--blocks says of which kind all blocks are"),
        ("qcnn(nam=x)", "unknown option of block qcnn 'nam'"),
        ("qcnn(name=x)", "unknown option of block qcnn 'name'"),
    ],
)
def test_options_of_a_chosen_block_are_refused_with_the_recipes_sizes(text, says):
    with pytest.raises(InputError, match=says):
        HybridVLMConfig.recipe("tiny", chosen={"vision": text})
