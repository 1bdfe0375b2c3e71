"""The options of an ablation: those of a comparison, and the decoder's."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, ClassVar

from qvlm_qiskit.recipes import BLOCK_PLACES, KINDS_OF_BLOCKS, TrainingOptions
from qvlm_qiskit.studies.checks import check_types
from qvlm_qiskit.studies.compare.options import CompareOptions
from qvlm_qiskit.studies.compare.variants import BLOCKS, MAJORITY, MODELS, has_blocks
from qvlm_qiskit.studies.grid_study import Option
from qvlm_qiskit.studies.quick import check_numbers

ONE_AT_A_TIME = tuple(f"{place}={kind}" for place in BLOCK_PLACES for kind in KINDS_OF_BLOCKS[1:])
"""Every block changed while the others stay quantum."""
VARIANTS = (*BLOCKS, *ONE_AT_A_TIME, *MODELS, MAJORITY)


@dataclass(frozen=True)
class AblationOptions(CompareOptions):
    """An ablation.

    Attributes:
        variants: A kind for all blocks, PLACE=KIND for one of them, baselines.
        seeds: How many seeds each is trained with.
        streams: Residual streams of the decoder (mHC); by default the recipe's.
        vision_attention: Of the vision tower; by default the recipe's.
        router_loss: Weight of the experts' load-balance loss; by default the recipe's.
        rounds: Measurements of each part of a step; 0 measures none.
    """

    variants: Annotated[
        tuple[str, ...],
        Option(f"Joined by commas, of {', '.join(VARIANTS)}."),
    ] = VARIANTS
    seeds: Annotated[int, Option("Train so many seeds of every model.")] = 5
    model: ClassVar[None] = None  # type: ignore[misc]  # no option: it is the recipe's
    streams: Annotated[
        int | None, Option("Residual streams of the decoder (mHC); by default the recipe's.")
    ] = None
    vision_attention: Annotated[
        str | None, Option("Of the vision tower: full or latent; by default the recipe's.")
    ] = None
    router_loss: Annotated[
        float | None, Option("Weight of the experts' load-balance loss; by default the recipe's.")
    ] = None
    rounds: Annotated[int, Option("Measurements of each part of a step; 0 measures none.")] = 5

    def __post_init__(self) -> None:
        """Refuse what makes no ablation.

        Raises:
            InputError: As of a comparison, or a negative number of measurements.
            UnknownNameError: The same.
        """
        check_types(self)
        super().__post_init__()
        check_numbers(self, {"rounds": 0})

    def training(self, variant: str, seed: int) -> TrainingOptions:
        """What a model is trained with; baselines have no decoder."""
        options = super().training(variant, seed)
        if not has_blocks(variant):
            return options
        return dataclasses.replace(
            options,
            streams=self.streams,
            vision_attention=self.vision_attention,
            router_loss=self.router_loss,
        )
