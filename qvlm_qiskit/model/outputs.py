"""What a forward pass of the model returns, and what of it is recorded on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor
from transformers.modeling_outputs import CausalLMOutputWithPast

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.model.configuration import HybridVLMConfig


@dataclass
class HybridVLMOutput(CausalLMOutputWithPast):  # type: ignore[misc]
    """What a forward pass returns; its first five fields are transformers' own.

    Attributes:
        loss: Mean next-token cross entropy over the labels that are not -100; while the model
            trains, with the experts' weighted load-balance loss.
        logits: ``(B, T, vocab_size)``, or the last ``logits_to_keep`` positions of it.
        cache: The decoder's cache; named ``past_key_values`` before transformers 5.24.
        hidden_states: The decoder's, ``(B, T, width)`` before each layer and behind the last, if
            ``output_hidden_states``.
        attentions: The decoder's, ``(B, heads, T, T)`` by layer, if ``output_attentions``.
        router_logits: The decoder's, by layer of experts, if ``output_router_logits``.
        image_features: Projected patch features ``(B, P, width)`` where images were given.
    """

    router_logits: tuple[Tensor, ...] | None = None
    image_features: Tensor | None = None


CACHE = next(f.name for f in fields(HybridVLMOutput) if f.name in ("cache", "past_key_values"))
"""What this version of transformers calls the cache, as an argument and in an output."""

RECORDED = ("hidden_states", "attentions", "router_logits")
"""What the decoder records where it is asked to, by the names of an output."""


def recording(given: dict[str, Any], config: HybridVLMConfig) -> dict[str, bool]:
    """What the decoder is to record: as asked for, else as the configuration says."""
    asked = {n: given.get(n) for n in (f"output_{name}" for name in RECORDED)}
    return {n: getattr(config, n, False) if v is None else v for n, v in asked.items()}


def recorded(
    outputs: Mapping[str, Any], switches: Mapping[str, bool], routers: bool
) -> dict[str, Any]:
    """The decoder's cache and what it has recorded, by the names of an output.

    Args:
        outputs: The decoder's.
        switches: What it was to record; see `recording`.
        routers: Whether the routers' logits are among what is returned.

    Raises:
        InputError: Attentions were to be recorded, and its attention doesn't compute any.
    """
    if switches["output_attentions"] and None in (outputs.get("attentions") or (None,)):
        raise InputError("attentions are known after model.set_attn_implementation('eager')")
    found = {name: outputs.get(name) for name in (CACHE, *RECORDED)}
    return found if routers else {**found, "router_logits": None}
