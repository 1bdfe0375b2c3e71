"""Configuration of :class:`~qvlm_qiskit.model.HybridVLM`, and its named recipes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import DeepseekV3Config, PretrainedConfig
from transformers.configuration_utils import SubConfigSpec
from transformers.models.auto.configuration_auto import AutoConfig

from qvlm_qiskit.basics.numbers import plain_number
from qvlm_qiskit.blocks.registry import (
    check_options,
    check_place,
    check_tokens,
    find_block,
    options_of,
    read_block,
)
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.model.recipes import RECIPES, TEXT_DEFAULTS
from qvlm_qiskit.model.text_configuration import HybridVLMTextConfig
from qvlm_qiskit.recipes import BLOCK_PLACES, VISION_ATTENTIONS, block_kinds, check_recipe


@strict
class HybridVLMConfig(PretrainedConfig):  # type: ignore[misc]
    """Sizes of the vision tower, the decoder, and the quantum blocks in their places.

    Attributes:
        vision_config: A ``ViTConfig`` (or its dictionary).
        text_config: A :class:`.HybridVLMTextConfig`: MLA attention, experts from layer
            ``first_k_dense_replace`` on, ``hc_mult`` residual streams. A ``DeepseekV3Config``,
            which version 0.1.0 stored, is read too.
        blocks: Place (a key of ``PLACES``) → ``{"name": …}`` and options of the block of that
            name; a place that is not there has no block. ``qcnn`` and ``paqm``, which version
            0.1.0 wrote instead, are read too.
        image_token_id: The token that stands for one image patch in ``input_ids``.
        vision_attention: ``"full"``, ViT's own, or ``"latent"``: MLA in the vision tower.
    """

    model_type = "hybrid_vlm"
    keys_to_ignore_at_inference: ClassVar[list[str]] = [
        "cache", "past_key_values", "image_features",
    ]  # fmt: skip
    sub_configs_defaults: ClassVar[dict[str, SubConfigSpec]] = {
        "vision_config": SubConfigSpec(config_class=AutoConfig, model_type="vit"),
        "text_config": SubConfigSpec(config_class=HybridVLMTextConfig),
    }

    vision_config: dict[str, Any] | PretrainedConfig | None = None
    text_config: dict[str, Any] | PretrainedConfig | None = None
    blocks: dict[str, dict[str, Any]] | None = None
    image_token_id: int = 3
    vision_attention: str = "full"
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        """Bring what version 0.1.0 stored into today's form.

        Raises:
            UnknownNameError: Blocks at an unknown place, or an unknown attention.
            InputError: Sizes that don't fit each other.
        """
        self.text_config = _text_config(self.text_config)
        if self.vision_attention not in VISION_ATTENTIONS:
            raise UnknownNameError("vision attention", self.vision_attention, VISION_ATTENTIONS)
        blocks = dict(self.blocks or {})
        for place, name in _BEFORE_PLACES.items():
            if (options := kwargs.pop(name, None)) is not None:
                blocks[place] = {"name": name, **options}
        for place in blocks:
            if place not in BLOCK_PLACES:
                raise UnknownNameError("place", place, BLOCK_PLACES)
        self.blocks = {
            place: {key: plain_number(value) for key, value in options.items()}
            for place, options in blocks.items()
        }
        super().__post_init__(**kwargs)
        _check_vision(self.vision_config)

    @property
    def num_image_tokens(self) -> int:
        """Patches of one image, each one token."""
        vision: Any = self.vision_config
        side = vision.image_size // vision.patch_size
        return int(side * side)

    def check_patches(self) -> None:
        """Refuse a vision block that mixes another number of patches than an image has.

        Raises:
            InputError: Such a block.
            UnknownNameError: An unknown block or option.
        """
        said = dict((self.blocks or {}).get("vision", {}))
        if said:
            check_tokens(said.pop("name"), said, self.num_image_tokens)

    @classmethod
    def recipe(
        cls,
        name: str,
        vocab_size: int = 64,
        blocks: str = "quantum",
        chosen: Mapping[str, str] | None = None,
        *,
        image_size: int | None = None,
        streams: int | None = None,
        vision_attention: str | None = None,
        router_loss: float | None = None,
    ) -> HybridVLMConfig:
        """A named configuration.

        Args:
            name: ``"tiny"`` (tests), ``"small"`` (the demo) or ``"paper"``; see
                :data:`~qvlm_qiskit.model.recipes.RECIPES` for what is assumed in the last.
            vocab_size: Of the tokenizer.
            blocks: ``"quantum"``, ``"classical"``, ``"frozen"``, or ``"none"`` to leave the blocks
                out; or one for each place, ``"vision=quantum,text=none"``.
            chosen: Place → the block that stands there instead of the recipe's, by its name or
                with options, ``"qcnn(encoding=mps)"``. It gets those of the recipe's sizes for the
                place that it has options for and that are not said.
            image_size: Side of the images in pixels, which the recipe's patches fill; the decoder
                reads as many tokens more as there are patches more.
            streams: Residual streams of mHC, 1 for none; by default the recipe's.
            vision_attention: One of ``VISION_ATTENTIONS``; by default the recipe's.
            router_loss: Weight of the experts' load-balance loss; by default the recipe's.

        Raises:
            UnknownNameError: An unknown recipe, kind of block, place, block or option of it.
            InputError: A block of another place, a value that it does not take, patches that don't
                fill the image, or another number of them than a block takes.
        """
        check_recipe(name, blocks)
        recipe = RECIPES[name]
        text = {**TEXT_DEFAULTS, **recipe["text"], "vocab_size": vocab_size}
        text |= {} if streams is None else {"hc_mult": streams}
        text |= {} if router_loss is None else {"router_aux_loss_coef": router_loss}
        placed = _blocks(recipe["blocks"], block_kinds(blocks), chosen or {})
        vision, more = _sized(recipe["vision"], image_size)
        text["max_position_embeddings"] += more
        config = cls(
            vision_config={"model_type": "vit", **vision},
            text_config=text,
            blocks=placed,
            vision_attention=vision_attention or recipe.get("vision_attention", "full"),
        )
        config.check_patches()
        return config


def _text_config(given: Any) -> Any:
    """The decoder's configuration in today's form; DeepSeek-V3's is one without mHC."""
    if isinstance(given, DeepseekV3Config) and not isinstance(given, HybridVLMTextConfig):
        given = given.to_dict()
    if isinstance(given, Mapping) and given.get("model_type", "deepseek_v3") == "deepseek_v3":
        return {**given, "model_type": HybridVLMTextConfig.model_type}
    return given


def _check_vision(config: Any) -> None:
    """Refuse sizes of a vision tower that don't fit each other.

    Raises:
        InputError: Such sizes.
    """
    if config.hidden_size % config.num_attention_heads:
        raise InputError(
            f"the vision tower's {config.hidden_size} channels can't be divided among "
            f"{config.num_attention_heads} heads"
        )
    size, patch = config.image_size, config.patch_size
    if size < patch or size % patch:
        raise InputError(f"images of {size} pixels are not filled by patches of {patch}")


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
    sizes: Mapping[str, Mapping[str, Any]], kinds: Mapping[str, str], chosen: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """A recipe's blocks by place, each of its kind; "none" is left out."""
    for place in chosen:
        if place not in sizes:
            raise UnknownNameError("place", place, sizes)
    found = {}
    for place, own in sizes.items():
        name, said = read_block(chosen.get(place, own["name"]))
        block = find_block(name)
        check_place(name, place)
        if "kind" in said:
            raise InputError("--blocks says of which kind all blocks are: leave kind= out")
        known = {key: size for key, size in own.items() if key in options_of(block)}
        options = {**known, **said}
        check_options(name, options)
        if kinds[place] != "none":
            found[place] = {"name": name, **options, "kind": kinds[place]}
    return found


_BEFORE_PLACES = {"vision": "qcnn", "text": "paqm"}
"""Version 0.1.0 knew one block for each place, by its name."""
