"""What an evaluation is about: a model, its processor, and the samples that it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qvlm_qiskit.data import Sample
from qvlm_qiskit.data.batch import PromptBatch, encode_prompts
from qvlm_qiskit.model import HybridVLM, HybridVLMProcessor


@dataclass(frozen=True)
class Exam:
    """A model and the questions that it is to answer.

    Attributes:
        model: In evaluation mode, on any estimator.
        processor: The one that it was trained with.
        samples: Questions with their images and accepted answers.
    """

    model: HybridVLM
    processor: HybridVLMProcessor
    samples: Sequence[Sample]

    def __len__(self) -> int:
        return len(self.samples)

    def prompts(self) -> PromptBatch:
        """All questions as one batch.

        Raises:
            InputError: No samples.
        """
        images = [sample.image for sample in self.samples]
        return encode_prompts(self.processor, images, [s.question for s in self.samples])
