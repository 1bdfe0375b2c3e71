"""Names of model recipes and kinds of blocks, and what a training is asked for.

Nothing here needs torch, so that a wrong name or number is refused in a moment.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qvlm_qiskit.errors import InputError, UnknownNameError

RECIPE_NAMES = ("tiny", "small", "paper")
"""Names of the recipes of `HybridVLMConfig.recipe`."""
KINDS_OF_BLOCKS = ("quantum", "classical", "frozen", "none")
"""What the blocks of a model can be; "none" leaves them out."""


def check_recipe(name: str, blocks: str = "quantum") -> None:
    """Refuse an unknown recipe or kind of block.

    Raises:
        UnknownNameError: One of them is unknown.
    """
    if name not in RECIPE_NAMES:
        raise UnknownNameError("recipe", name, RECIPE_NAMES)
    if blocks not in KINDS_OF_BLOCKS:
        raise UnknownNameError("kind of block", blocks, KINDS_OF_BLOCKS)


@dataclass(frozen=True)
class TrainingOptions:
    """What decides a training run, together with the package versions.

    Attributes:
        recipe: Model recipe.
        blocks: ``"quantum"``, ``"classical"``, ``"frozen"`` or ``"none"``.
        steps: Optimiser steps.
        batch_size: Samples per step.
        learning_rate: Peak of the cosine schedule.
        weight_decay: Of AdamW.
        warmup_steps: Linear warm-up; by default a tenth of the steps.
        train_samples: Size of the training set.
        checkpoint_every: Steps between checkpoints for ``--resume``.
        seed: Of the weights, the data and the order of batches.
    """

    recipe: str = "small"
    blocks: str = "quantum"
    steps: int = 1000
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_steps: int | None = None
    train_samples: int = 16000
    checkpoint_every: int = 250
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what can't be trained with.

        Raises:
            InputError: A number out of range, or an unknown recipe or kind of block.
        """
        for name in ("steps", "batch_size", "train_samples", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"learning_rate must be positive and finite, got {self.learning_rate}")
        check_recipe(self.recipe, self.blocks)
        if not 0 <= self.seed < 2**32:
            raise InputError(f"seed must be in 0 … 2³²-1, got {self.seed}")
