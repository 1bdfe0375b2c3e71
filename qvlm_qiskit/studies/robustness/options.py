"""The options of a study of robustness: data, models, their training, and attacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from qvlm_qiskit.basics.placed_names import listed
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.recipes import KINDS_OF_BLOCKS, TrainingOptions
from qvlm_qiskit.studies.checks import check_distinct, check_types
from qvlm_qiskit.studies.data_options import DataOptions
from qvlm_qiskit.studies.grid_study import Option
from qvlm_qiskit.studies.quick import SMALLEST, check_numbers

VARIANTS = KINDS_OF_BLOCKS
MODEL = "qvlm_qiskit.studies.robustness.network:Hybrid"
QUICK = {"seeds": 2, "steps": 150, "limit": 100, "epsilons": (0.1,), "more_steps": 40}
DEFAULT_SIDE = 8
LEAST = {"seeds": 1, "limit": 2, "attack_steps": 1, "more_steps": 1, "epsilons": SMALLEST,
         "steps": 1, "batch_size": 1, "train_samples": 1, "image_size": 4}  # fmt: skip
MOST = {"epsilons": 1, "image_size": 256}


@dataclass(frozen=True)
class RobustnessOptions(DataOptions):
    """Which models meet which attacks.

    Attributes:
        data: Pictures with one answer each.
        variants: Names of `VARIANTS`: what stands in the block's place.
        block: A model of the zoo that takes features and gives features.
        steps: Of the training.
        batch_size: Pictures of a step.
        train_samples: At most so many.
        learning_rate: Its peak.
        seeds: Trainings of every variant.
        limit: Test pictures that are attacked.
        epsilons: Largest change of a pixel, in units of the range from black to white.
        attack_steps: Of projected gradient descent.
        more_steps: Of the same with more steps, which must not be weaker.
        quick: Small sizes instead of those asked for.
    """

    data: Annotated[
        str,
        Option("Pictures with one answer each, such as folder:signs; by default 8 × 8 digits."),
    ] = "single-digits"
    variants: Annotated[tuple[str, ...], Option(f"Joined by commas: {', '.join(VARIANTS)}.")] = (
        VARIANTS
    )
    block: Annotated[
        str, Option("A model of the zoo (docs/blocks.md) between backbone and classes.")
    ] = "parallel-circuits(circuits=2,repetitions=8)"
    steps: Annotated[int, Option("Optimiser steps of every model.")] = 600
    batch_size: Annotated[int, Option("Pictures per step.")] = 32
    train_samples: Annotated[int, Option("Training pictures, at most what the data has.")] = 4000
    learning_rate: Annotated[float, Option("Peak learning rate.")] = 1e-2
    seeds: Annotated[int, Option("Trainings of every variant.")] = 10
    limit: Annotated[int, Option("Test pictures that are attacked.")] = 450
    epsilons: Annotated[
        tuple[float, ...],
        Option("Largest change of a pixel; black is 0 and white is 1. Joined by commas."),
    ] = (0.02, 0.05, 0.1, 0.2)
    attack_steps: Annotated[int, Option("Steps of projected gradient descent.")] = 20
    more_steps: Annotated[int, Option("Steps of the longer one, which must not be weaker.")] = 100
    quick: Annotated[
        bool, Option("A minute: 2 seeds, 150 steps, 100 pictures, one change, whatever is asked.")
    ] = False

    def __post_init__(self) -> None:
        """Refuse what makes no study.

        Raises:
            UnknownNameError: An unknown variant.
            InputError: An empty or repeated value, or a number out of range.
        """
        check_types(self)
        if self.quick:
            for name, value in QUICK.items():
                object.__setattr__(self, name, value)
        found = tuple(one for text in self.variants for one in listed(text))
        object.__setattr__(self, "variants", found)
        for one in found:
            if one not in VARIANTS:
                raise UnknownNameError("variant", one, VARIANTS)
        check_distinct("variants", self.variants)
        check_numbers(self, LEAST, MOST)
        if self.more_steps <= self.attack_steps:
            raise InputError(
                f"more_steps must be more than the {self.attack_steps} attack_steps, got "
                f"{self.more_steps}"
            )
        self.training(found[0], 0)

    @property
    def side(self) -> int:
        """Of the pictures, in pixels."""
        return DEFAULT_SIDE if self.image_size is None else self.image_size

    def training(self, variant: str, seed: int) -> TrainingOptions:
        """What a variant is trained with."""
        return TrainingOptions(
            model=f"{MODEL}(block={self.block},kind={variant},side={self.side})",
            steps=self.steps, batch_size=self.batch_size, train_samples=self.train_samples,
            learning_rate=self.learning_rate, seed=seed, data=self.data_name,
        )  # fmt: skip
