"""The decoder: MLA, sparse experts and hyper-connections, of transformers' DeepSeek modules.

Nothing is written again: attention, experts and router are DeepSeek-V3's, hyper-connections and the
load-balance loss DeepSeek-V4's. What is here puts them together, and keeps the router and the
hyper-connections in single precision, whatever the rest computes in.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import initialization as init
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.models.deepseek_v3.modeling_deepseek_v3 import (
    DeepseekV3Attention,
    DeepseekV3DecoderLayer,
    DeepseekV3Experts,
    DeepseekV3MLP,
    DeepseekV3Model,
    DeepseekV3MoE,
    DeepseekV3PreTrainedModel,
    DeepseekV3RMSNorm,
    DeepseekV3RotaryEmbedding,
    DeepseekV3TopkRouter,
)
from transformers.models.deepseek_v4.modeling_deepseek_v4 import (
    DeepseekV4HyperConnection,
    DeepseekV4HyperHead,
    load_balancing_loss_func,
)

from qvlm_qiskit.model.hyper_connections import HyperConnection, HyperHead
from qvlm_qiskit.model.text_configuration import HybridVLMTextConfig
from qvlm_qiskit.quantum.torch_support.single_precision import AtLeastSingle


class Router(AtLeastSingle, DeepseekV3TopkRouter):  # type: ignore[misc]
    """DeepSeek-V3's router, in single precision also under autocast.

    Which expert a token goes to changes by jumps, so that rounding would send tokens elsewhere.
    """

    def forward(self, hidden_states: Tensor) -> Any:
        """Tokens ``(…, D)`` → logits, and the chosen experts with their weights."""
        with torch.autocast(hidden_states.device.type, enabled=False):
            return super().forward(hidden_states)


class NoExpert(nn.Module):
    """Stands where no expert is shared by all tokens."""

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Zeros of the shape of what it is given."""
        return torch.zeros_like(hidden_states)


class SparseExperts(DeepseekV3MoE):  # type: ignore[misc]
    """DeepSeek-V3's layer of experts, with or without shared ones."""

    def __init__(self, config: HybridVLMTextConfig) -> None:
        """Create the experts of one layer, whose weights `Decoder` draws."""
        nn.Module.__init__(self)
        self.config = config
        self.experts = DeepseekV3Experts(config)
        self.gate = Router(config)
        shared = config.moe_intermediate_size * config.n_shared_experts
        self.shared_experts = (
            DeepseekV3MLP(config, intermediate_size=shared) if shared else NoExpert()
        )


class DecoderLayer(DeepseekV3DecoderLayer):  # type: ignore[misc]
    """DeepSeek-V3's decoder layer; with hyper-connections, around several residual streams."""

    def __init__(self, config: HybridVLMTextConfig, layer_idx: int) -> None:
        """Create the layer; `Decoder` draws its weights, by itself its experts have none yet.

        Args:
            config: Of the decoder.
            layer_idx: Number of the layer, from 0; those before ``first_k_dense_replace`` have no
                experts.
        """
        GradientCheckpointingLayer.__init__(self)
        self.hidden_size = config.hidden_size
        self.self_attn = DeepseekV3Attention(config=config, layer_idx=layer_idx)
        sparse = layer_idx >= (config.first_k_dense_replace or 0)
        self.mlp = SparseExperts(config) if sparse else DeepseekV3MLP(config)
        self.input_layernorm = DeepseekV3RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_attention_layernorm = DeepseekV3RMSNorm(
            config.hidden_size, eps=config.rms_norm_eps
        )
        self.streams = config.hc_mult
        if self.streams > 1:
            self.attn_hc, self.ffn_hc = HyperConnection(config), HyperConnection(config)

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """One layer.

        Args:
            hidden_states: ``(B, T, D)``, or streams ``(B, T, n, D)``; the first layer makes n equal
                streams of one.
            *args: See ``DeepseekV3DecoderLayer``.
            **kwargs: The same.

        Returns:
            ``(B, T, D)``, or ``(B, T, n, D)`` with hyper-connections.
        """
        if self.streams == 1:
            plain: Tensor = super().forward(hidden_states, *args, **kwargs)
            return plain
        streams = hidden_states
        if streams.dim() == 3:
            streams = streams[:, :, None].expand(-1, -1, self.streams, -1).contiguous()
        streams = self.attn_hc.around(
            streams,
            lambda one: self.self_attn(self.input_layernorm(one), *args, **kwargs)[0],
        )
        return self.ffn_hc.around(streams, lambda one: self.mlp(self.post_attention_layernorm(one)))


class CollapsedNorm(DeepseekV3RMSNorm):  # type: ignore[misc]
    """The last norm, of the one stream that the hyper head makes of several."""

    def __init__(self, config: HybridVLMTextConfig) -> None:
        """Create norm and head."""
        super().__init__(config.hidden_size, eps=config.rms_norm_eps)
        self.hc_head = HyperHead(config)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Streams ``(B, T, n, D)`` → ``(B, T, D)``."""
        normed: Tensor = super().forward(self.hc_head(hidden_states))
        return normed


class Decoder(DeepseekV3Model):  # type: ignore[misc]
    """DeepSeek-V3's decoder of such layers, with its cache of latents.

    With hyper-connections its hidden states before the last are streams, ``(B, T, n, D)``.
    """

    config_class = HybridVLMTextConfig
    _no_split_modules: ClassVar[list[str]] = ["DecoderLayer"]
    _keep_in_fp32_modules_strict: ClassVar[list[str]] = [
        "e_score_correction_bias", "mlp.gate.weight", "attn_hc", "ffn_hc", "hc_head",
    ]  # fmt: skip

    def __init__(self, config: HybridVLMTextConfig) -> None:
        """Create a decoder with random weights."""
        DeepseekV3PreTrainedModel.__init__(self, config)
        self.padding_idx = config.pad_token_id
        self.vocab_size = config.vocab_size
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, self.padding_idx)
        self.layers = nn.ModuleList(
            DecoderLayer(config, index) for index in range(config.num_hidden_layers)
        )
        plain = config.hc_mult == 1
        self.norm = (
            DeepseekV3RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
            if plain
            else CollapsedNorm(config)
        )
        self.rotary_emb = DeepseekV3RotaryEmbedding(config=config)
        self.gradient_checkpointing = False
        self.post_init()

    @property
    def balances(self) -> bool:
        """Whether a training adds the experts' load-balance loss."""
        sparse = any(isinstance(layer.mlp, SparseExperts) for layer in self.layers)
        return sparse and self.config.router_aux_loss_coef > 0

    def balance_loss(
        self, router_logits: tuple[Tensor, ...], attention_mask: Tensor | None
    ) -> Tensor:
        """The load-balance loss of all layers of experts, weighted.

        Switch Transformer's, as DeepSeek-V4 has it: experts times the sum, over experts, of the
        share of tokens that prefer one and its mean probability; 1 when they share evenly.

        Args:
            router_logits: By layer of experts, ``(B·T, experts)``.
            attention_mask: ``(B, T)``, 0 at padding, which counts nowhere.
        """
        config = self.config
        loss: Tensor = config.router_aux_loss_coef * load_balancing_loss_func(
            router_logits, config.n_routed_experts, config.num_experts_per_tok, attention_mask
        )
        return loss

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Hyper-connections start near equal streams, the rest as DeepSeek's."""
        super()._init_weights(module)
        std = self.config.initializer_range
        if isinstance(module, DeepseekV4HyperConnection):
            init.normal_(module.fn, mean=0.0, std=std)
            init.zeros_(module.base)
            init.ones_(module.scale)
        elif isinstance(module, DeepseekV4HyperHead):
            init.normal_(module.hc_fn, mean=0.0, std=std)
            init.zeros_(module.hc_base)
            init.ones_(module.hc_scale)
