"""Configuration of the decoder: DeepSeek-V3's, hyper-connections and the experts' balance."""

from __future__ import annotations

from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import DeepseekV3Config

from qvlm_qiskit.errors import InputError


@strict
class HybridVLMTextConfig(DeepseekV3Config):  # type: ignore[misc]
    """A ``DeepseekV3Config`` with what DeepSeek-V4's modules ask for beside it.

    Attributes:
        hc_mult: Residual streams of the manifold-constrained hyper-connections (mHC, arXiv
            2512.24880); 1 for plain residual connections.
        hc_sinkhorn_iters: Sinkhorn iterations that make the streams' mixing doubly stochastic.
        hc_eps: Keeps their denominators from zero.
        router_aux_loss_coef: Weight of the load-balance loss of the experts while it trains; 0
            leaves it out.
    """

    # of its own: by the name "deepseek_v3" transformers would rename the experts when it stores
    model_type = "hybrid_vlm_text"

    hc_mult: int = 1
    hc_sinkhorn_iters: int = 20
    hc_eps: float = 1e-6
    router_aux_loss_coef: float = 0.0

    def __post_init__(self, **kwargs: Any) -> None:
        """Refuse sizes that don't fit each other.

        Raises:
            InputError: Such sizes.
        """
        super().__post_init__(**kwargs)
        if self.hc_mult < 1 or self.hc_sinkhorn_iters < 1:
            raise InputError(
                f"hyper-connections have at least 1 stream and 1 Sinkhorn iteration, got "
                f"hc_mult={self.hc_mult} and hc_sinkhorn_iters={self.hc_sinkhorn_iters}"
            )
        if self.router_aux_loss_coef < 0:
            raise InputError(f"router_aux_loss_coef is at least 0, got {self.router_aux_loss_coef}")
        if self.qk_rope_head_dim % 2:
            raise InputError(
                f"rotary positions turn pairs of channels: qk_rope_head_dim is even, got "
                f"{self.qk_rope_head_dim}"
            )
        if (self.first_k_dense_replace or 0) < self.num_hidden_layers:
            self._check_experts()

    def _check_experts(self) -> None:
        """What DeepSeek's router can choose from."""
        experts, groups = self.n_routed_experts, self.n_group or 1
        if experts % groups or experts // groups < 2:
            raise InputError(
                f"a router chooses among at least 2 experts in each of its groups, got {experts} "
                f"experts in {groups}; first_k_dense_replace={self.num_hidden_layers} makes every "
                "layer dense"
            )
        chosen, reach = self.num_experts_per_tok or 1, experts // groups * (self.topk_group or 1)
        if not 1 <= chosen <= reach:
            raise InputError(f"each token goes to 1 … {reach} experts, got {chosen}")
