"""The vision tower: transformers' ViT with a vision block in it, and latent attention by choice."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import DeepseekV3Config
from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3Attention
from transformers.models.vit.modeling_vit import ViTAttention, ViTModel, ViTPatchEmbeddings

from qvlm_qiskit.model.placing import add_block, init_block


class QuantumPatchEmbeddings(ViTPatchEmbeddings):  # type: ignore[misc]
    """ViT's patch embeddings with a vision block behind them."""

    def __init__(self, config: Any, options: dict[str, Any]) -> None:
        """Create ViT's own projection and the block."""
        super().__init__(config)
        self.block_name = add_block(self, "vision", config.hidden_size, options)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """``(B, C, H, W)`` → ``(B, P, width)``."""
        block = self.get_submodule(self.block_name)
        embedded: Tensor = block(super().forward(pixel_values))
        return embedded


class LatentAttention(DeepseekV3Attention):  # type: ignore[misc]
    """MLA over patches: every patch sees every other, and none is turned by its position.

    Keys and values come from a latent of a quarter of the width. Half of each head's channels are
    the key that all heads share; ViT's embeddings hold the positions, so that it is not rotated.
    [The source names MLA in its ViT stack and gives no sizes; these are ours.]
    """

    def __init__(self, config: Any) -> None:
        """Create the attention of one layer of a ``ViTConfig``."""
        head = config.hidden_size // config.num_attention_heads
        shared = head // 4 * 2
        latent = DeepseekV3Config(
            hidden_size=config.hidden_size,
            num_attention_heads=config.num_attention_heads,
            num_key_value_heads=config.num_attention_heads,
            kv_lora_rank=max(1, config.hidden_size // 4),
            q_lora_rank=None,
            qk_rope_head_dim=shared,
            qk_nope_head_dim=head - shared,
            v_head_dim=head,
            attention_dropout=config.attention_probs_dropout_prob,
        )
        latent._attn_implementation = config._attn_implementation  # noqa: SLF001
        super().__init__(latent, 0)
        self.is_causal = False
        self.tower = config

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, **kwargs: Any
    ) -> Any:
        """``(B, P, width)`` → the same shape, and the attentions if they are computed."""
        # set_attn_implementation reaches the tower's configuration alone
        self.config._attn_implementation = self.tower._attn_implementation  # noqa: SLF001
        turned = hidden_states.new_ones(1, hidden_states.shape[1], self.qk_rope_head_dim)
        unturned = (turned, torch.zeros_like(turned))
        return super().forward(hidden_states, unturned, attention_mask)


class VisionTower(ViTModel):  # type: ignore[misc]
    """transformers' ViT with a vision block in its patch embedding."""

    def __init__(self, config: Any, options: dict[str, Any] | None, attention: str) -> None:
        """Create the tower.

        Args:
            config: A ``ViTConfig``.
            options: Of the block; without any it is a plain ViT.
            attention: ``"full"``, ViT's own, or ``"latent"``.
        """
        super().__init__(config, add_pooling_layer=False)
        if attention == "latent":
            for layer in _with_attention(self):
                layer.attention = LatentAttention(config)
        if options is not None:
            self.embeddings.patch_embeddings = QuantumPatchEmbeddings(config, options)
        if attention == "latent" or options is not None:
            self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if not init_block(module):
            super()._init_weights(module)


def _with_attention(module: nn.Module) -> list[nn.Module]:
    """The layers of a ViT, wherever its version keeps them."""
    return [m for m in module.modules() if isinstance(getattr(m, "attention", None), ViTAttention)]
