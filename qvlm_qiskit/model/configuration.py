"""Configuration of :class:`~qvlm_qiskit.model.HybridVLM`, and its named recipes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import PretrainedConfig
from transformers.configuration_utils import SubConfigSpec
from transformers.models.auto.configuration_auto import AutoConfig

from qvlm_qiskit.basics.numbers import plain_number
from qvlm_qiskit.blocks import PLACES
from qvlm_qiskit.blocks.registry import check_options, find_block, options_of, read_block
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.recipes import check_recipe


@strict
class HybridVLMConfig(PretrainedConfig):  # type: ignore[misc]
    """Sizes of the vision tower, the decoder, and the quantum blocks in their places.

    Attributes:
        vision_config: A ``ViTConfig`` (or its dictionary).
        text_config: A ``DeepseekV3Config``: MLA attention, and MoE from layer
            ``first_k_dense_replace`` on.
        blocks: Place (a key of ``PLACES``) → ``{"name": …}`` and options of the block of that
            name; a place that is not there has no block. ``qcnn`` and ``paqm``, which version
            0.1.0 wrote instead, are read too.
        image_token_id: The token that stands for one image patch in ``input_ids``.
    """

    model_type = "hybrid_vlm"
    keys_to_ignore_at_inference: ClassVar[list[str]] = [
        "cache", "past_key_values", "image_features",
    ]  # fmt: skip
    sub_configs_defaults: ClassVar[dict[str, SubConfigSpec]] = {
        "vision_config": SubConfigSpec(config_class=AutoConfig, model_type="vit"),
        "text_config": SubConfigSpec(config_class=AutoConfig, model_type="deepseek_v3"),
    }

    vision_config: dict[str, Any] | PretrainedConfig | None = None
    text_config: dict[str, Any] | PretrainedConfig | None = None
    blocks: dict[str, dict[str, Any]] | None = None
    image_token_id: int = 3
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        """Bring what version 0.1.0 stored into today's form.

        Raises:
            UnknownNameError: Blocks at an unknown place.
        """
        blocks = dict(self.blocks or {})
        for place, name in _BEFORE_PLACES.items():
            if (options := kwargs.pop(name, None)) is not None:
                blocks[place] = {"name": name, **options}
        for place in blocks:
            if place not in PLACES:
                raise UnknownNameError("place", place, PLACES)
        self.blocks = {
            place: {key: plain_number(value) for key, value in options.items()}
            for place, options in blocks.items()
        }
        super().__post_init__(**kwargs)

    @property
    def num_image_tokens(self) -> int:
        """Patches of one image, each one token."""
        vision: Any = self.vision_config
        side = vision.image_size // vision.patch_size
        return int(side * side)

    @classmethod
    def recipe(
        cls,
        name: str,
        vocab_size: int = 64,
        blocks: str = "quantum",
        chosen: Mapping[str, str] | None = None,
        *,
        image_size: int | None = None,
    ) -> HybridVLMConfig:
        """A named configuration.

        Args:
            name: ``"tiny"`` (tests), ``"small"`` (the demo) or ``"paper"`` (the sizes of the
                Hybrid-QVLM README where it gives them; MLA ranks are ours, mHC is not included).
            vocab_size: Of the tokenizer.
            blocks: ``"quantum"``, ``"classical"``, ``"frozen"``, or ``"none"`` to leave the blocks
                out.
            chosen: Place → the block that stands there instead of the recipe's, by its name or
                with options, ``"qcnn(encoding=mps)"``. It gets those of the recipe's sizes for the
                place that it has options for and that are not said.
            image_size: Side of the images in pixels, which the recipe's patches fill; the decoder
                reads as many tokens more as there are patches more.

        Raises:
            UnknownNameError: An unknown recipe, kind of block, place, block or option of it.
            InputError: A block of another place, a value that it does not take, or patches that
                don't fill the image.
        """
        check_recipe(name, blocks)
        recipe = RECIPES[name]
        text = {**_TEXT_DEFAULTS, **recipe["text"], "vocab_size": vocab_size}
        placed = _blocks(recipe["blocks"], blocks, chosen or {})
        vision, more = _sized(recipe["vision"], image_size)
        text["max_position_embeddings"] += more
        return cls(
            vision_config={"model_type": "vit", **vision},
            text_config={"model_type": "deepseek_v3", **text},
            blocks={} if blocks == "none" else placed,
        )


def _sized(vision: Mapping[str, Any], image_size: int | None) -> tuple[dict[str, Any], int]:
    """A recipe's vision tower for images of a size, and how many patches more they have."""
    if image_size is None:
        return dict(vision), 0
    patch, own = vision["patch_size"], vision["image_size"]
    if image_size < patch or image_size % patch:
        raise InputError(
            f"images of {image_size} pixels are not filled by patches of {patch}: choose a "
            f"multiple, such as {max(1, image_size // patch) * patch}"
        )
    more = (image_size // patch) ** 2 - (own // patch) ** 2
    return {**vision, "image_size": image_size}, max(0, more)


def _blocks(
    sizes: Mapping[str, Mapping[str, Any]], kind: str, chosen: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """A recipe's blocks by place, of one kind."""
    for place in chosen:
        if place not in sizes:
            raise UnknownNameError("place", place, sizes)
    found = {}
    for place, own in sizes.items():
        name, said = read_block(chosen.get(place, own["name"]))
        block = find_block(name)
        if block.place != place:
            raise InputError(f"block {name!r} stands at {block.place!r}, not at {place!r}")
        if "kind" in said:
            raise InputError("--blocks says of which kind all blocks are: leave kind= out")
        known = {key: size for key, size in own.items() if key in options_of(block)}
        found[place] = {"name": name, **known, **said, "kind": kind}
        check_options(name, {k: v for k, v in found[place].items() if k not in ("name", "kind")})
    return found


_BEFORE_PLACES = {"vision": "qcnn", "text": "paqm"}
"""Version 0.1.0 knew one block for each place, by its name."""

_TEXT_DEFAULTS: dict[str, Any] = {
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
            "moe_intermediate_size": 4096,
            "num_hidden_layers": 8,
            "num_attention_heads": 8,
            "num_key_value_heads": 8,
            "kv_lora_rank": 256,
            "qk_rope_head_dim": 64,
            "qk_nope_head_dim": 64,
            "v_head_dim": 128,
            "n_routed_experts": 4,
            "max_position_embeddings": 1024,
        },
        "blocks": {
            "vision": {"name": "qcnn", "num_qubits": 12, "num_layers": 2},
            "text": {"name": "paqm", "num_qubits": 6, "num_layers": 2},
        },
    },
}
