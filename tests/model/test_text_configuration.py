import pytest
from transformers import DeepseekV3Config

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.model import HybridVLMConfig, HybridVLMTextConfig
from qvlm_qiskit.model.recipes import RECIPES, TEXT_DEFAULTS

SMALL = {**TEXT_DEFAULTS, **RECIPES["small"]["text"]}


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"hc_mult": 0}, "at least 1 stream"),
        ({"hc_sinkhorn_iters": 0}, "1 Sinkhorn iteration"),
        ({"router_aux_loss_coef": -1.0}, "router_aux_loss_coef"),
        ({"qk_rope_head_dim": 3}, "even, got 3"),
        ({"n_routed_experts": 1}, "at least 2 experts"),
        ({"n_routed_experts": 4, "n_group": 3}, "4 experts in 3"),
        ({"n_routed_experts": 4, "n_group": 4}, "4 experts in 4"),
        ({"num_experts_per_tok": 5}, "1 … 4 experts, got 5"),
        ({"num_experts_per_tok": 3, "n_group": 2, "topk_group": 1}, "1 … 2 experts, got 3"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_before_anything_is_built(sizes, said):
    with pytest.raises(InputError, match=said) as caught:
        HybridVLMTextConfig(**{**SMALL, **sizes})
    assert "\n" not in str(caught.value)


def test_one_expert_is_fine_where_every_layer_is_dense():
    HybridVLMTextConfig(**{**SMALL, "n_routed_experts": 1, "first_k_dense_replace": 2})


@pytest.mark.parametrize("form", ["object", "dictionary", "without a type"])
def test_what_version_0_1_0_stored_is_a_decoder_without_mhc(form):
    sizes = {k: v for k, v in SMALL.items() if not k.startswith("hc")}
    given = {
        "object": DeepseekV3Config(**sizes),
        "dictionary": {"model_type": "deepseek_v3", **sizes},
        "without a type": sizes,
    }[form]
    config = HybridVLMConfig(text_config=given)
    assert isinstance(config.text_config, HybridVLMTextConfig)
    assert (config.text_config.hc_mult, config.text_config.kv_lora_rank) == (1, 32)
    assert HybridVLMConfig(**config.to_dict()).text_config.to_dict() == config.text_config.to_dict()
