"""What a run folder's model is, for all that trains, evaluates, submits and asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, Self

from PIL import Image
from qiskit.primitives.base import BaseEstimatorV2
from torch import Tensor, nn
from torch.utils.data import Dataset

from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.data.registry import DataSet
from qvlm_qiskit.data.sample import Sample, Samples
from qvlm_qiskit.quantum import QuantumLayer, SampledGradient
from qvlm_qiskit.quantum.machines import EstimatorSource
from qvlm_qiskit.recipes import TrainingOptions


class AnsweringModel(Protocol):
    """A torch module that answers questions about images, and how it is built, fed and kept.

    `OwnModel` is this with defaults for whoever writes a model; `VisionLanguageModel` makes it of
    `HybridVLM` and its processor.
    """

    @property
    def name(self) -> str:
        """What ``--model`` and run folders call it."""
        ...

    @classmethod
    def build(cls, options: TrainingOptions, data: DataSet, samples: Callable[[], Samples]) -> Self:
        """An untrained model, the same for the same seed.

        Args:
            options: Of the training; with those of the model.
            data: The data set.
            samples: Opens what it will be trained on, for models that learn from it what they are.

        Raises:
            InputError: An option that it does not take, or samples that it can't be taught.
        """
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The model that `save` wrote, in evaluation mode, on the CPU."""
        ...

    def save(self, folder: Path) -> None:
        """Write configuration and weights; nothing that has to be run to be read."""
        ...

    @property
    def module(self) -> nn.Module:
        """What is trained: called with a batch, it returns a mapping with "loss"."""
        ...

    @property
    def quantum_layers(self) -> Mapping[str, QuantumLayer]:
        """Every quantum layer by its module name."""
        ...

    def run_on(
        self, backend: EstimatorSource | BaseEstimatorV2, gradient: SampledGradient | None = None
    ) -> AbstractContextManager[None]:
        """Run all quantum layers on another estimator; as a context manager, until its end."""
        ...

    def encoded(self, samples: Samples, track: Track = silent) -> Dataset[dict[str, Tensor]]:
        """Samples with their answers as rows of equal shapes, for training.

        Raises:
            InputError: A sample that the model can't be taught.
        """
        ...

    def inputs(self, samples: Sequence[Sample]) -> dict[str, Tensor]:
        """What the module is given to answer samples, as one batch."""
        ...

    def answers(self, samples: Sequence[Sample]) -> list[str]:
        """One answer per sample, on whatever machine the quantum layers run."""
        ...

    def limited(self, max_new_tokens: int) -> Self:
        """The same model with answers of at most so many tokens.

        Raises:
            InputError: Its answers have no length, and another than the usual one is asked for.
        """
        ...

    def check_questions(self, samples: Sequence[Sample]) -> None:
        """Refuse questions that it can't read, before anything runs.

        Raises:
            InputError: There is one.
        """
        ...

    def accepts(self, sample: Sample, answer: str) -> bool:
        """Whether an answer is right."""
        ...

    def notes(self, samples: Sequence[Sample]) -> list[str]:
        """What a user should know before these samples are answered, one sentence each."""
        ...

    def sample(
        self, image: Image.Image, question: str | None, questions: Mapping[str, str]
    ) -> Sample:
        """An image and a question of somebody who asks, as a sample without an answer.

        Args:
            image: Any size and mode.
            question: None where nothing was asked.
            questions: Kind → question, of the data that it was trained on.

        Raises:
            InputError: A question that the model can't read.
        """
        ...

    @property
    def passes(self) -> int:
        """Forward passes of the longest answer, each waiting for the one before."""
        ...

    def described(self) -> dict[str, Any]:
        """What ``run.json`` says of it beside the training options."""
        ...
