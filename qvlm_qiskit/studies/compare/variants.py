"""Who is compared: models of one recipe with other blocks, simpler ones, and a user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qvlm_qiskit.basics.placed_names import PlacedName
from qvlm_qiskit.errors import UnknownNameError
from qvlm_qiskit.recipes import HYBRID, TrainingOptions, read_block_name
from qvlm_qiskit.recipes import MODELS as REGISTERED

BLOCKS = ("quantum", "classical", "frozen", "none")
"""The recipe's model, with its blocks as ``qvlm train --blocks`` has them. Other blocks stand
behind, by the names of their places: ``quantum(vision=qcnn(encoding=mps))``."""
PLACES = ("vision", "text")
MODELS = ("linear", "cnn")
"""Models of `qvlm_qiskit.models`, on pictures of the recipe's size."""
MAJORITY = "majority"
"""The most frequent training answer of every kind of question; nothing is trained."""
VARIANTS = (*BLOCKS, *MODELS, MAJORITY)
_CLASSICAL = ("classical", "none", *MODELS, MAJORITY)


def check_variant(variant: str) -> None:
    """Refuse what is neither one of `VARIANTS`, with blocks, nor written as ``--model`` takes it.

    Raises:
        UnknownNameError: It is no name of either.
        InputError: It is of no such form.
    """
    placed = PlacedName.read(variant)
    if _with_blocks(placed) and placed.options:
        for place, block in placed.options.items():
            if place not in PLACES:
                raise UnknownNameError(f"place of a block in {variant}:", place, PLACES)
            read_block_name(block)
        return
    own = [name for name in REGISTERED.names() if name != HYBRID]
    if variant not in VARIANTS and placed.place is None and placed.name not in own:
        raise UnknownNameError("variant", variant, [*VARIANTS, *(set(own) - set(MODELS))])


def has_circuits(variant: str) -> bool:
    """Whether a machine's noise may reach it; of a model of one's own its `rehearse` finds out."""
    placed = PlacedName.read(variant)
    return (placed.name if _with_blocks(placed) else variant) not in _CLASSICAL


def answers_by_tokens(variant: str) -> bool:
    """Whether it is the recipe's model; the others give their answers at once."""
    return _with_blocks(PlacedName.read(variant))


def _with_blocks(placed: PlacedName) -> bool:
    return placed.name in BLOCKS and placed.place is None


def training_options(
    variant: str, recipe: str, image_size: int | None, budget: Mapping[str, Any]
) -> TrainingOptions:
    """What a variant is trained with.

    Args:
        variant: One of `VARIANTS`, with other blocks perhaps, or a model as ``--model`` takes
            it; the majority's options say what data it looks at.
        recipe: Of the models with blocks.
        image_size: Side of the images in pixels; None = the recipe's.
        budget: The other options.
    """
    if variant in MODELS:
        side = pixels(recipe) if image_size is None else image_size
        return TrainingOptions(model=f"{variant}(side={side})", **budget)
    placed = PlacedName.read(variant)
    if not _with_blocks(placed) and variant not in VARIANTS:
        return TrainingOptions(model=variant, **budget)
    blocks = placed.name if _with_blocks(placed) else "none"
    chosen: dict[str, Any] = {f"{place}_block": text for place, text in placed.options.items()}
    return TrainingOptions(recipe=recipe, blocks=blocks, image_size=image_size, **chosen, **budget)


def pixels(recipe: str) -> int:
    """Side of a recipe's images."""
    from qvlm_qiskit.model.configuration import RECIPES

    return int(RECIPES[recipe]["vision"]["image_size"])
