"""The options of a comparison: data, budget, variants, metrics, machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from qvlm_qiskit.basics.placed_names import listed
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.recipes import MAX_NEW_TOKENS, METRICS, TrainingOptions
from qvlm_qiskit.studies.checks import check_distinct, check_types
from qvlm_qiskit.studies.compare.variants import (
    MAJORITY,
    SHUFFLED,
    VARIANTS,
    check_variant,
    of_model,
    training_options,
    unshuffled,
)
from qvlm_qiskit.studies.data_options import DataOptions
from qvlm_qiskit.studies.grid_study import Option
from qvlm_qiskit.studies.quick import check_numbers


@dataclass(frozen=True)
class Budget:
    """What every model is trained with.

    Attributes:
        recipe: Of the quantum model and of those that are like it.
        steps: Optimiser steps.
        batch_size: Samples per step.
        train_samples: Size of the training set, at most what the data has.
        learning_rate: Its peak.
    """

    recipe: Annotated[str, Option("Recipe of the quantum model: tiny, small or paper.")] = "small"
    steps: Annotated[int, Option("Optimiser steps of every model.")] = 300
    batch_size: Annotated[int, Option("Samples per step.")] = 32
    train_samples: Annotated[
        int, Option("Size of the training set, at most what the data has.")
    ] = 4000
    learning_rate: Annotated[float, Option("Peak learning rate.")] = 1e-3


@dataclass(frozen=True)
class CompareOptions(Budget, DataOptions):
    """A comparison.

    Attributes:
        variants: Names of `VARIANTS`, those of models with blocks also as
            "quantum(vision=qcnn(encoding=mps))", or models as ``--model`` takes them;
            "model(option=value)" is `model` with other options, "shuffled(VARIANT)" a variant
            whose training pictures are mixed up.
        model: What variants called "model" are made of, as ``--model`` takes it.
        seeds: How many seeds each is trained with, 0 … seeds - 1.
        metrics: Names of metrics; several may stand in one text, joined by commas.
        caption_tokenizer: Of metrics of captions.
        limit: Held-out questions per evaluation.
        max_new_tokens: Longest answer in tokens.
        backend: Where models with circuits are evaluated besides; None = exactly only.
        shots: Per circuit there.
        mitigation: Techniques there; several may stand in one text, joined by commas.
    """

    variants: Annotated[
        tuple[str, ...],
        Option(
            f"Joined by commas: {', '.join(VARIANTS)}, or a --model of yours, MODULE:CLASS. The "
            "first four with other blocks: quantum(vision=qcnn(encoding=mps)). With --model, "
            "model(option=value) is that with other options. shuffled(VARIANT) is one whose "
            "training pictures are mixed up."
        ),
    ] = ("quantum", "classical", "linear", "cnn", "majority")
    model: Annotated[
        str | None,
        Option("A model as qvlm train --model takes it, which variants called model(…) change."),
    ] = None
    seeds: Annotated[int, Option("Train so many seeds of every model.")] = 3
    metrics: Annotated[
        tuple[str, ...], Option("Metrics of generated answers, joined by commas.", "--metric")
    ] = ("exact-match",)
    caption_tokenizer: Annotated[str, Option("Of metrics of captions: java, port or auto.")] = (
        "auto"
    )
    limit: Annotated[int, Option("Held-out questions per evaluation.")] = 300
    max_new_tokens: Annotated[int, Option("Longest answer, in tokens.")] = MAX_NEW_TOKENS
    backend: Annotated[
        str | None, Option("Where models with circuits are evaluated besides, such as noisy:….")
    ] = None
    shots: Annotated[int, Option("Shots per circuit there.")] = 1000
    mitigation: Annotated[
        tuple[str, ...],
        Option("Mitigations there, joined by commas, as in none,readout+zne."),
    ] = ("none",)

    def __post_init__(self) -> None:
        """Refuse what makes no comparison.

        Raises:
            InputError: An empty or repeated value, a number out of range.
            UnknownNameError: An unknown variant or metric.
        """
        check_types(self)
        for name in ("variants", "metrics", "mitigation"):
            object.__setattr__(self, name, _each(getattr(self, name)))
        for variant in self.variants:
            self._check(variant)
        check_distinct("variants", self.variants)
        for name in self.metric_names:
            METRICS.check(name)
        if len(set(self.mitigation)) != len(self.mitigation) or not self.mitigation:
            raise InputError(f"mitigations must be distinct, got {list(self.mitigation)}")
        check_numbers(self, {"seeds": 1, "limit": 2, "shots": 1, "max_new_tokens": 1})
        self.training("quantum", 0)

    def _check(self, variant: str) -> None:
        inside, shuffled = unshuffled(variant)
        if shuffled and inside == MAJORITY:
            raise InputError(f"{variant} looks at no picture that could be mixed up")
        check_variant(of_model(inside, self.model))

    def meant(self, variant: str) -> str:
        """A variant in words that need no model beside them, and without ``shuffled(…)``."""
        return of_model(unshuffled(variant)[0], self.model)

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The metrics, with exact match in any case."""
        return tuple(dict.fromkeys(("exact-match", *self.metrics)))

    def training(self, variant: str, seed: int) -> TrainingOptions:
        """What a model is trained with."""
        inside, shuffled = unshuffled(variant)
        budget = {
            "steps": self.steps,
            "batch_size": self.batch_size,
            "train_samples": self.train_samples,
            "learning_rate": self.learning_rate,
            "seed": seed,
            "data": f"{SHUFFLED}:{self.data_name}" if shuffled else self.data_name,
        }
        return training_options(of_model(inside, self.model), self.recipe, self.image_size, budget)


def _each(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Names, of which several may stand in one text."""
    return tuple(name for text in texts for name in listed(text))
