"""Sizes of the named models, from a laptop's to the published ones."""

from __future__ import annotations

from typing import Any

TEXT_DEFAULTS: dict[str, Any] = {
    "n_group": 1,
    "topk_group": 1,
    "num_experts_per_tok": 1,
    # with one expert per token, normalised weights are all 1 and the router would get no gradient
    "norm_topk_prob": False,
    "routed_scaling_factor": 1.0,
    "first_k_dense_replace": 1,
    "q_lora_rank": None,
    "num_mtp_layers": 0,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}

RECIPES: dict[str, dict[str, Any]] = {
    "tiny": {
        "vision": {
            "image_size": 16,
            "patch_size": 8,
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
        },
        "text": {
            "hidden_size": 16,
            "intermediate_size": 32,
            "moe_intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "kv_lora_rank": 8,
            "qk_rope_head_dim": 4,
            "qk_nope_head_dim": 4,
            "v_head_dim": 8,
            "n_routed_experts": 2,
            "max_position_embeddings": 64,
        },
        "blocks": {
            "vision": {"name": "qcnn", "num_qubits": 2, "num_layers": 1},
            "text": {"name": "paqm", "num_qubits": 2, "num_layers": 1},
        },
    },
    "small": {
        "vision": {
            "image_size": 16,
            "patch_size": 8,
            "hidden_size": 64,
            "intermediate_size": 128,
            "initializer_range": 0.1,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
        },
        "text": {
            "hidden_size": 64,
            "intermediate_size": 128,
            "initializer_range": 0.1,
            "moe_intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "kv_lora_rank": 32,
            "qk_rope_head_dim": 8,
            "qk_nope_head_dim": 8,
            "v_head_dim": 16,
            "n_routed_experts": 4,
            "max_position_embeddings": 128,
        },
        "blocks": {
            "vision": {"name": "qcnn", "num_qubits": 4, "num_layers": 2},
            "text": {"name": "paqm", "num_qubits": 4, "num_layers": 2},
        },
    },
    "paper": {
        "vision": {
            "image_size": 224,
            "patch_size": 16,
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_hidden_layers": 8,
            "num_attention_heads": 8,
        },
        "text": {
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "moe_intermediate_size": 3840,
            "num_hidden_layers": 8,
            "num_attention_heads": 8,
            "num_key_value_heads": 8,
            "kv_lora_rank": 256,
            "qk_rope_head_dim": 64,
            "qk_nope_head_dim": 128,
            "v_head_dim": 128,
            "n_routed_experts": 4,
            "n_shared_experts": 0,
            "first_k_dense_replace": 0,
            "hc_mult": 4,
            "router_aux_loss_coef": 0.01,
            "max_position_embeddings": 1024,
        },
        "blocks": {
            "vision": {"name": "qcnn", "num_qubits": 12, "num_layers": 2},
            "text": {"name": "paqm", "num_qubits": 6, "num_layers": 2},
        },
    },
}
"""Recipe → sizes of its vision tower, decoder and blocks.

``paper`` is after the Hybrid-QVLM README, which gives text width 1024, image width 768, 8 heads, 8
layers, 4 experts of which each token takes one, the blocks' qubits and layers, 571.33M parameters
and 288.06M active ones. All else is assumed here: images of 224 pixels in patches of 16, ViT's
inner width, experts of 3840 in every layer and none that is shared (what the two counts leave
for each), MLA's ranks, a two-layer projector, 4 streams and 20 Sinkhorn iterations as in the mHC
paper, the weight of the load-balance loss. With GPT-2's 50,257 tokens and 5 more, untied, it has
572.37M parameters (0.18 % more) and 289.25M active ones (0.41 %).
"""
