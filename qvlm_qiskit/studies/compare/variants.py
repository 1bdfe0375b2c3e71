"""Who is compared: models of one recipe with other blocks, and models that are much simpler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qvlm_qiskit.recipes import TrainingOptions

BLOCKS = ("quantum", "classical", "frozen", "none")
"""The recipe's model, with its blocks as ``qvlm train --blocks`` has them."""
MODELS = ("linear", "cnn")
"""Models of `qvlm_qiskit.models`, on pictures of the recipe's size."""
MAJORITY = "majority"
"""The most frequent training answer of every kind of question; nothing is trained."""
VARIANTS = (*BLOCKS, *MODELS, MAJORITY)
WITH_CIRCUITS = ("quantum", "frozen")
"""Those that a machine's noise reaches."""


def training_options(
    variant: str, recipe: str, image_size: int | None, budget: Mapping[str, Any]
) -> TrainingOptions:
    """What a variant is trained with.

    Args:
        variant: One of `VARIANTS`; the majority's options say what data it looks at.
        recipe: Of the models with blocks.
        image_size: Side of the images in pixels; None = the recipe's.
        budget: The other options.
    """
    if variant in MODELS:
        side = pixels(recipe) if image_size is None else image_size
        return TrainingOptions(model=f"{variant}(side={side})", **budget)
    blocks = variant if variant in BLOCKS else "none"
    return TrainingOptions(recipe=recipe, blocks=blocks, image_size=image_size, **budget)


def pixels(recipe: str) -> int:
    """Side of a recipe's images."""
    from qvlm_qiskit.model.configuration import RECIPES

    return int(RECIPES[recipe]["vision"]["image_size"])
