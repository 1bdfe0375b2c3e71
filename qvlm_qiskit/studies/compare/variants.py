"""Who is compared: models of one recipe with other blocks, simpler ones, and a user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from qvlm_qiskit.basics.placed_names import PlacedName
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.recipes import (
    BLOCK_PLACES,
    HYBRID,
    KINDS_OF_BLOCKS,
    TrainingOptions,
    block_kinds,
    read_block_name,
)
from qvlm_qiskit.recipes import MODELS as REGISTERED

BLOCKS = KINDS_OF_BLOCKS
"""The recipe's model with blocks of one kind, as ``qvlm train --blocks`` has them. Other blocks may
stand behind, by their places: ``quantum(vision=qcnn(encoding=mps))``; ``vision=none`` is the model
of which one block is of another kind, and the others are quantum."""
MODELS = ("linear", "cnn")
"""Models of `qvlm_qiskit.models`, on pictures of the recipe's size."""
MAJORITY = "majority"
"""The most frequent training answer of every kind of question; nothing is trained."""
VARIANTS = (*BLOCKS, *MODELS, MAJORITY)
MODEL, SHUFFLED = "model", "shuffled"
"""``model(projection=linear)`` is the study's own model with other options; ``shuffled(VARIANT)``
is a variant whose training pictures belong to other questions."""
_CLASSICAL = ("classical", "none", *MODELS, MAJORITY)


def check_variant(variant: str) -> None:
    """Refuse what is neither of the recipe, nor a baseline, nor written as ``--model`` takes it.

    Raises:
        UnknownNameError: It is no name of either.
        InputError: It is of no such form.
    """
    if has_blocks(variant):
        _of_recipe(variant)
        return
    placed = PlacedName.read(variant)
    own = [name for name in REGISTERED.names() if name != HYBRID]
    if variant not in VARIANTS and placed.place is None and placed.name not in own:
        raise UnknownNameError("variant", variant, [*VARIANTS, *(set(own) - set(MODELS))])


def unshuffled(variant: str) -> tuple[str, bool]:
    """The variant inside ``shuffled(…)``, and whether there was one."""
    inside = variant.removeprefix(f"{SHUFFLED}(")
    if inside == variant or not inside.endswith(")"):
        return variant, False
    return inside[:-1].strip(), True


def of_model(variant: str, model: str | None) -> str:
    """What ``model`` or ``model(option=value,…)`` means; any other variant as it is.

    Args:
        variant: Without ``shuffled(…)``.
        model: The study's own, as ``--model`` takes it.

    Raises:
        InputError: The study has no model of its own.
    """
    name, opened, _ = variant.partition("(")
    if name != MODEL:
        return variant
    if model is None:
        raise InputError(f"{variant} is --model with other options: say --model")
    base = PlacedName.read(model)
    more = PlacedName.read(variant).options if opened else {}
    return str(replace(base, options={**base.options, **more}))


def has_blocks(variant: str) -> bool:
    """Whether it is a model of the recipe, with or without its blocks; it answers by tokens."""
    name = variant.partition("(")[0]
    return name in BLOCKS or "=" in name


def has_circuits(variant: str) -> bool:
    """Whether a machine's noise may reach it; of a model of one's own its `rehearse` finds out."""
    kinds = _of_recipe(variant)[0] if has_blocks(variant) else variant
    return kinds not in _CLASSICAL


def _of_recipe(variant: str) -> tuple[str, dict[str, str]]:
    """The kinds of its blocks, and the blocks that are not the recipe's, by place.

    Raises:
        UnknownNameError: No such kind, place or block.
        InputError: It names the kind of several blocks.
    """
    if "=" in variant.partition("(")[0]:
        if "," in variant:
            raise InputError(f"a variant changes one block, got {variant}")
        block_kinds(variant)
        return variant, {}
    placed = PlacedName.read(variant)
    for place, block in placed.options.items():
        if place not in BLOCK_PLACES:
            raise UnknownNameError(f"place of a block in {variant}:", place, BLOCK_PLACES)
        read_block_name(block)
    return placed.name, dict(placed.options)


def training_options(
    variant: str, recipe: str, image_size: int | None, budget: Mapping[str, Any]
) -> TrainingOptions:
    """What a variant is trained with.

    Args:
        variant: One of `VARIANTS`, with other blocks perhaps, "PLACE=KIND" for a model of which
            one block is not quantum, or a model as ``--model`` takes it; the majority's options
            say what data it looks at.
        recipe: Of the models with blocks.
        image_size: Side of the images in pixels; None = the recipe's.
        budget: The other options.
    """
    if variant in MODELS:
        side = pixels(recipe) if image_size is None else image_size
        return TrainingOptions(model=f"{variant}(side={side})", **budget)
    if not has_blocks(variant) and variant != MAJORITY:
        return TrainingOptions(model=variant, **budget)
    kinds, blocks = ("none", {}) if variant == MAJORITY else _of_recipe(variant)
    chosen: dict[str, Any] = {f"{place}_block": text for place, text in blocks.items()}
    return TrainingOptions(recipe=recipe, blocks=kinds, image_size=image_size, **chosen, **budget)


def pixels(recipe: str) -> int:
    """Side of a recipe's images."""
    from qvlm_qiskit.model.recipes import RECIPES

    return int(RECIPES[recipe]["vision"]["image_size"])
