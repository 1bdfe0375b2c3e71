"""Who is compared: models of one recipe with other blocks, simpler ones, and a user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qvlm_qiskit.basics.placed_names import PlacedName
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.recipes import HYBRID, TrainingOptions, block_kinds
from qvlm_qiskit.recipes import MODELS as REGISTERED

BLOCKS = ("quantum", "classical", "frozen", "none")
"""The recipe's model, with its blocks as ``qvlm train --blocks`` has them."""
MODELS = ("linear", "cnn")
"""Models of `qvlm_qiskit.models`, on pictures of the recipe's size."""
MAJORITY = "majority"
"""The most frequent training answer of every kind of question; nothing is trained."""
VARIANTS = (*BLOCKS, *MODELS, MAJORITY)
_CLASSICAL = ("classical", "none", *MODELS, MAJORITY)


def check_variant(variant: str) -> None:
    """Refuse what is no variant: one of `VARIANTS`, "PLACE=KIND", or written as ``--model`` is.

    Raises:
        UnknownNameError: It is no name of either.
        InputError: It is of no such form.
    """
    if "=" in variant.partition("(")[0]:
        _check_place(variant)
        return
    placed = PlacedName.read(variant)
    own = [name for name in REGISTERED.names() if name != HYBRID]
    if variant not in VARIANTS and placed.place is None and placed.name not in own:
        raise UnknownNameError("variant", variant, [*VARIANTS, *(set(own) - set(MODELS))])


def _check_place(variant: str) -> None:
    """Refuse what does not say what one block is, as in "vision=none".

    Raises:
        UnknownNameError: No such place or kind.
        InputError: It says what several are.
    """
    if "," in variant:
        raise InputError(f"a variant changes one block, got {variant}")
    block_kinds(variant)


def has_blocks(variant: str) -> bool:
    """Whether it is a model of the recipe, with or without its blocks."""
    return variant in BLOCKS or "=" in variant.partition("(")[0]


def has_circuits(variant: str) -> bool:
    """Whether a machine's noise may reach it; of a model of one's own its `rehearse` finds out."""
    return variant not in _CLASSICAL


def training_options(
    variant: str, recipe: str, image_size: int | None, budget: Mapping[str, Any]
) -> TrainingOptions:
    """What a variant is trained with.

    Args:
        variant: One of `VARIANTS`, "PLACE=KIND" for a model of which one block is not quantum, or
            a model as ``--model`` takes it; the majority's options say what data it looks at.
        recipe: Of the models with blocks.
        image_size: Side of the images in pixels; None = the recipe's.
        budget: The other options.
    """
    if variant in MODELS:
        side = pixels(recipe) if image_size is None else image_size
        return TrainingOptions(model=f"{variant}(side={side})", **budget)
    if variant != MAJORITY and not has_blocks(variant):
        return TrainingOptions(model=variant, **budget)
    blocks = "none" if variant == MAJORITY else variant
    return TrainingOptions(recipe=recipe, blocks=blocks, image_size=image_size, **budget)


def pixels(recipe: str) -> int:
    """Side of a recipe's images."""
    from qvlm_qiskit.model.recipes import RECIPES

    return int(RECIPES[recipe]["vision"]["image_size"])
