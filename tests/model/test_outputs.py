"""What a forward pass records and returns."""

import copy

import pytest
import torch

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.model.outputs import CACHE


@pytest.mark.parametrize("keep", [1, 3])
def test_only_the_last_logits_can_be_asked_for(model, batch, keep):
    batch.pop("labels")
    torch.testing.assert_close(
        model(**batch, logits_to_keep=keep).logits, model(**batch).logits[:, -keep:]
    )


@torch.no_grad()
def test_the_cache_goes_by_either_name_and_not_by_both(model, batch):
    batch.pop("labels")
    ids, mask = batch["input_ids"], batch["attention_mask"]
    first = model(
        **{**batch, "input_ids": ids[:, :-1], "attention_mask": mask[:, :-1]}, use_cache=True
    )
    assert first.past_key_values is first[CACHE]
    last = {"input_ids": ids[:, -1:], "attention_mask": mask}
    whole = model(**batch).logits[:, -1:]
    for name in ("cache", "past_key_values"):
        step = model(**last, **{name: copy.deepcopy(first[CACHE])})
        torch.testing.assert_close(step.logits, whole, atol=1e-5, rtol=0)
    with pytest.raises(InputError, match="one argument by two names"):
        model(**last, cache=first[CACHE], past_key_values=first[CACHE])


def test_hidden_states_and_router_logits_are_the_decoders(model, batch):
    decoder = model.config.text_config
    output = model(**batch, output_hidden_states=True, output_router_logits=True)
    assert len(output.hidden_states) == decoder.num_hidden_layers + 1
    logits = model.lm_head(output.hidden_states[-1])
    torch.testing.assert_close(logits, output.logits, rtol=0, atol=0)
    assert len(output.router_logits) == decoder.num_hidden_layers - decoder.first_k_dense_replace
    assert output.attentions is None
    plain = model(**batch)
    assert plain.hidden_states is None
    assert plain.router_logits is None


def test_the_configuration_asks_for_hidden_states_too(model, batch):
    model.config.output_hidden_states = True
    assert model(**batch).hidden_states is not None
    assert model(**batch, output_hidden_states=False).hidden_states is None


def test_attentions_are_given_where_they_are_computed(model, batch):
    with pytest.raises(InputError, match="eager"):
        model(**batch, output_attentions=True)
    model.set_attn_implementation("eager")
    output = model(**batch, output_attentions=True)
    rows, length = batch["input_ids"].shape
    heads = model.config.text_config.num_attention_heads
    assert len(output.attentions) == model.config.text_config.num_hidden_layers
    for weights in output.attentions:
        assert weights.shape == (rows, heads, length, length)
        torch.testing.assert_close(weights.sum(-1), torch.ones(rows, heads, length))
    model.set_attn_implementation("sdpa")
    torch.testing.assert_close(output.logits, model(**batch).logits, atol=1e-5, rtol=0)


def test_a_tuple_can_be_asked_for(model, batch):
    output = model(**batch)
    for value, other in zip(output.to_tuple()[:2], model(**batch, return_dict=False), strict=False):
        torch.testing.assert_close(value, other, rtol=0, atol=0)


def test_logits_are_kept_at_chosen_positions(model, batch):
    labels = batch.pop("labels")
    positions = torch.tensor([0, 3, 5])
    kept = model(**batch, logits_to_keep=positions).logits
    torch.testing.assert_close(kept, model(**batch).logits[:, positions])
    with pytest.raises(InputError, match="logits_to_keep"):
        model(**batch, labels=labels, logits_to_keep=1)
