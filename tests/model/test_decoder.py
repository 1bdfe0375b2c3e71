"""Hyper-connections, experts and latent attention beside transformers' own models."""

import copy

import pytest
import torch
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM
from transformers.models.deepseek_v4.modeling_deepseek_v4 import load_balancing_loss_func

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.model import HybridVLM, HybridVLMConfig, HybridVLMTextConfig
from qvlm_qiskit.model.decoder import Decoder
from qvlm_qiskit.model.recipes import TEXT_DEFAULTS

WHOLE = {"streams": 3, "vision_attention": "latent", "router_loss": 0.5}
SIZES = {
    **TEXT_DEFAULTS, "vocab_size": 40, "hidden_size": 16, "intermediate_size": 32,
    "moe_intermediate_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2,
    "num_key_value_heads": 2, "kv_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4,
    "v_head_dim": 8, "n_routed_experts": 3, "max_position_embeddings": 64,
    "initializer_range": 0.3,
}  # fmt: skip


def whole_model(seed=0, **changes):
    """The whole source system, tiny."""
    config = HybridVLMConfig.recipe("tiny", **{**WHOLE, **changes})
    config.text_config.initializer_range = 0.2
    torch.manual_seed(seed)
    return HybridVLM(config).eval()


@pytest.fixture(scope="module")
def whole():
    return whole_model()


def test_without_streams_it_is_deepseeks_decoder():
    torch.manual_seed(0)
    ours = Decoder(HybridVLMTextConfig(**SIZES)).eval()
    theirs = DeepseekV3ForCausalLM(DeepseekV3Config(**SIZES)).model.eval()
    theirs.load_state_dict(ours.state_dict())
    rows = torch.randn(2, 7, 16)
    mask = torch.ones(2, 7, dtype=torch.long)
    mask[0, :3] = 0
    for given in (None, mask):
        torch.testing.assert_close(
            ours(inputs_embeds=rows, attention_mask=given).last_hidden_state,
            theirs(inputs_embeds=rows, attention_mask=given).last_hidden_state,
        )


def test_streams_that_are_mixed_evenly_are_plain_residuals():
    """With fn = 0 and these bases every stream is the residual stream of the plain decoder."""
    torch.manual_seed(1)
    sizes = {**SIZES, "n_shared_experts": 0}
    mixed = Decoder(HybridVLMTextConfig(**sizes, hc_mult=4)).double().eval()
    plain = Decoder(HybridVLMTextConfig(**sizes)).double().eval()
    plain.load_state_dict({k: v for k, v in mixed.state_dict().items() if "hc" not in k})
    for name, parameter in mixed.named_parameters():
        if name.endswith("fn"):
            parameter.data.zero_()
        elif name.endswith("hc_base"):
            parameter.data.fill_(-torch.log(torch.tensor(3.0)))  # σ = 1/4: the mean
        elif name.endswith("base"):
            parameter.data.zero_()
            parameter.data[:4] = -torch.log(torch.tensor(3.0))
            parameter.data[4:8] = 0.0  # 2σ = 1
    rows = torch.randn(2, 6, 16, dtype=torch.float64)
    torch.testing.assert_close(
        mixed(inputs_embeds=rows).last_hidden_state,
        plain(inputs_embeds=rows).last_hidden_state,
        atol=1e-4,  # hc_eps and the norms' own
        rtol=0,
    )


def test_cached_and_uncached_steps_agree(whole, prompts):
    """Token by token through the cache of latents, with left padding."""
    given = prompts.inputs()
    length = given["input_ids"].shape[1]
    full = whole(**given).logits[:, -2:]
    head = {"pixel_values": given["pixel_values"], "input_ids": given["input_ids"][:, :-1]}
    first = whole(**head, attention_mask=given["attention_mask"][:, :-1], use_cache=True)
    cache = first.get("cache", first.get("past_key_values"))
    second = whole(
        input_ids=given["input_ids"][:, -1:], attention_mask=given["attention_mask"],
        past_key_values=cache, use_cache=True,
    )  # fmt: skip
    assert length > 4
    torch.testing.assert_close(first.logits[:, -1], full[:, 0], atol=1e-5, rtol=0)
    torch.testing.assert_close(second.logits[:, -1], full[:, 1], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "how", [{}, {"num_beams": 3}, {"do_sample": True, "temperature": 0.7}], ids=str
)
def test_generation_is_the_same_with_and_without_a_cache(whole, prompts, how):
    answers = []
    for cached in (True, False):
        torch.manual_seed(3)
        answers.append(
            whole.generate(**prompts.inputs(), max_new_tokens=5, use_cache=cached, **how)
        )
    assert torch.equal(*answers)


def test_a_stored_model_is_the_same_model(whole, batch, tmp_path):
    whole.save_pretrained(tmp_path)
    loaded = HybridVLM.from_pretrained(tmp_path)
    assert set(loaded.state_dict()) == set(whole.state_dict())
    torch.testing.assert_close(loaded(**batch).logits, whole(**batch).logits, atol=1e-6, rtol=0)
    assert loaded.config.text_config.hc_mult == 3
    assert loaded.config.vision_attention == "latent"


def test_recomputed_activations_change_no_bit(batch):
    plain, less = whole_model().train(), whole_model().train()
    enable(less, use_reentrant=False)
    assert [layer.gradient_checkpointing for layer in less.decoder.layers] == [True, True]
    losses = []
    for model in (plain, less):
        torch.manual_seed(0)
        loss = model(**batch).loss
        loss.backward()
        losses.append(loss.detach())
    assert torch.equal(*losses)
    for name, parameter in plain.named_parameters():
        other = less.get_parameter(name).grad
        assert (parameter.grad is None) == (other is None), name
        assert parameter.grad is None or torch.equal(parameter.grad, other), name


def test_reentrant_recomputing_is_refused():
    with pytest.raises(InputError, match="use_reentrant"):
        enable(whole_model(), use_reentrant=True)


def enable(model, **how):
    if hasattr(model, "activation_checkpointing_enable"):
        model.activation_checkpointing_enable(how)
    else:
        model.gradient_checkpointing_enable(how)


def test_the_balance_of_experts_is_in_the_loss_while_it_trains(batch):
    model = whole_model().train()
    answer = model(**batch)
    assert answer.router_logits is None
    logits = model(**batch, output_router_logits=True).router_logits
    assert len(logits) == 1  # the first layer is dense
    balance = load_balancing_loss_func(logits, 2, 1, batch["attention_mask"])
    plain = whole_model(router_loss=0.0).train()(**batch).loss
    torch.testing.assert_close(answer.loss, plain + 0.5 * balance)
    answer.loss.backward()
    assert model.decoder.layers[1].mlp.gate.weight.grad.abs().max() > 0
    torch.testing.assert_close(model.eval()(**batch).loss, plain)


def test_an_even_share_has_a_balance_loss_of_its_weight():
    torch.manual_seed(0)
    decoder = Decoder(HybridVLMTextConfig(**SIZES, router_aux_loss_coef=0.25))
    even = torch.eye(3).repeat(10, 1) * 1e-6
    assert float(decoder.balance_loss((even, even), None)) == pytest.approx(0.25, rel=1e-4)
    one = torch.tensor([[20.0, 0, 0]]).repeat(30, 1)
    assert float(decoder.balance_loss((one,), None)) == pytest.approx(0.75, rel=1e-4)
    assert not Decoder(HybridVLMTextConfig(**SIZES)).balances
    dense = HybridVLMTextConfig(**SIZES | {"first_k_dense_replace": 3}, router_aux_loss_coef=0.25)
    assert not Decoder(dense).balances


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_leaves_the_router_in_single(whole, batch, dtype):
    """What it is given is rounded; what it computes of that is not."""
    model = copy.deepcopy(whole)
    seen = {}

    def listen(name):
        def hear(module, inputs, output):
            seen[name] = (inputs[0], output)

        return hear

    model.decoder.layers[1].mlp.gate.register_forward_hook(listen("router"))
    with torch.autocast("cpu", dtype=dtype):
        mixed = model(**batch)
    given, (logits, weights, _) = seen["router"]
    assert logits.dtype == weights.dtype == torch.float32
    with torch.no_grad():
        torch.testing.assert_close(
            logits, given.flatten(0, -2).float() @ model.decoder.layers[1].mlp.gate.weight.T
        )
    mixed.loss.backward()
    torch.testing.assert_close(mixed.loss.float(), whole(**batch).loss, atol=0.1, rtol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_model_in_half_precision_keeps_them_in_single(whole, batch, dtype, tmp_path):
    whole.save_pretrained(tmp_path)
    for half in (HybridVLM.from_pretrained(tmp_path, dtype=dtype), whole_model().to(dtype)):
        wide = {n for n, p in half.named_parameters() if p.dtype == torch.float32}
        assert {n.rsplit(".", 1)[-1] for n in wide} == {
            "weight", "logit", "fn", "base", "scale", "hc_fn", "hc_base", "hc_scale",
        }  # fmt: skip
        assert {n for n in wide if n.endswith("weight")} == {
            "decoder.layers.1.mlp.gate.weight",
            "paqm.core.layer.weight",
            "vision.embeddings.patch_embeddings.qcnn.core.layer.weight",
        }
        loss = half(**batch).loss
        torch.testing.assert_close(loss.float(), whole(**batch).loss, atol=0.2, rtol=0)
        loss.backward()


def test_every_stream_is_a_hidden_state(whole, batch):
    hidden = whole(**batch, output_hidden_states=True).hidden_states
    assert hidden[1].shape[2:] == (3, 16)
    assert hidden[-1].shape[2:] == (16,)


def test_no_expert_is_shared_where_none_is_asked_for():
    config = HybridVLMTextConfig(**SIZES, n_shared_experts=0)
    layer = Decoder(config).layers[1]
    assert not any("shared" in name for name, _ in layer.named_parameters())
    rows = torch.randn(1, 4, 16)
    with torch.no_grad():
        _, weights, chosen = layer.mlp.gate(rows)
        routed = layer.mlp.experts(rows[0], chosen, weights)
        torch.testing.assert_close(layer.mlp(rows)[0], routed)
