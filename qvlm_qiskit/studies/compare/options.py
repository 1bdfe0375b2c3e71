"""The options of a comparison: data, budget, variants, metrics, machines."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated

from qvlm_qiskit.basics.placed_names import listed
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.mitigations import check_mitigation
from qvlm_qiskit.recipes import MAX_NEW_TOKENS, METRICS, TrainingOptions
from qvlm_qiskit.studies.checks import check_distinct, check_types
from qvlm_qiskit.studies.compare.variants import (
    MAJORITY,
    MODEL,
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

LEAST = {"seeds": 1, "limit": 2, "shots": 1, "max_new_tokens": 1, "steps": 1, "batch_size": 1,
         "train_samples": 1, "image_size": 1}  # fmt: skip
MOST = {"image_size": 4096}


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
            InputError: An empty or repeated value, a number out of range, an option of the backend
                where there is none, or a model that no variant is made of.
            MitigationError: An unknown mitigation.
            UnknownNameError: An unknown variant or metric.
        """
        check_types(self)
        for name in ("variants", "metrics", "mitigation"):
            object.__setattr__(self, name, _each(getattr(self, name)))
        for variant in self.variants:
            self._check(variant)
        check_distinct("variants", self.variants)
        if self.model is not None and not any(map(self._is_model, self.variants)):
            raise InputError(f"--model is what variants called {MODEL} are made of: there is none")
        for name in self.metric_names:
            METRICS.check(name)
        check_distinct("mitigation", self.mitigation)
        self._check_machine()
        check_numbers(self, LEAST, MOST)
        self.training("quantum", 0)

    def _check_machine(self) -> None:
        """Refuse what is said of a machine or a model that no variant meets."""
        for technique in self.mitigation:
            check_mitigation(technique)
        usual = {field.name: field.default for field in fields(CompareOptions)}
        for name in ("shots", "mitigation"):
            if self.backend is None and getattr(self, name) != usual[name]:
                raise InputError(f"{name} is for --backend, and none is given")

    def _check(self, variant: str) -> None:
        inside, shuffled = unshuffled(variant)
        if shuffled and inside == MAJORITY:
            raise InputError(f"{variant} looks at no picture that could be mixed up")
        check_variant(of_model(inside, self.model))

    def _is_model(self, variant: str) -> bool:
        return unshuffled(variant)[0].partition("(")[0] == MODEL

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
