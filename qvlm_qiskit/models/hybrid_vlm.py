"""`HybridVLM` and its processor as a run folder's model: questions in, generated words out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from PIL import Image
from qiskit.primitives.base import BaseEstimatorV2
from torch import Tensor, nn
from transformers import set_seed

from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.data.batch import (
    EncodedSamples,
    PromptBatch,
    check_length,
    encode_prompts,
    encode_training,
)
from qvlm_qiskit.data.registry import DataSet, find_data
from qvlm_qiskit.data.sample import Sample, Samples
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.model import HybridVLM, HybridVLMConfig, HybridVLMProcessor, build_processor
from qvlm_qiskit.model.processing import SPECIAL_TOKENS
from qvlm_qiskit.models.generate import (
    answer,
    check_lengths,
    longer_than,
    most_tokens,
    notes_of_longer,
)
from qvlm_qiskit.models.registry import register_model
from qvlm_qiskit.quantum import QuantumLayer, SampledGradient
from qvlm_qiskit.quantum.machines import EstimatorSource
from qvlm_qiskit.recipes import HYBRID, MAX_NEW_TOKENS, TrainingOptions


@register_model(HYBRID)
@dataclass(frozen=True)
class VisionLanguageModel:
    """A model, its processor, and how long its answers are.

    Attributes:
        model: On any estimator.
        processor: The one that it was trained with.
        max_new_tokens: Longest answer in tokens.
    """

    model: HybridVLM
    processor: HybridVLMProcessor
    max_new_tokens: int = MAX_NEW_TOKENS
    name: ClassVar[str] = HYBRID

    @classmethod
    def build(cls, options: TrainingOptions, data: DataSet, samples: Callable[[], Samples]) -> Self:
        """The recipe's model, with the words of the data set."""
        return cls(*build_model(options, data))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The model and the processor of a folder."""
        model = HybridVLM.from_pretrained(folder, local_files_only=True)
        processor = HybridVLMProcessor.from_pretrained(folder, local_files_only=True)
        return cls(model.eval(), processor)

    def save(self, folder: Path) -> None:
        """Write both, as transformers does."""
        self.model.save_pretrained(folder)
        self.processor.save_pretrained(folder)

    @property
    def module(self) -> nn.Module:
        """The model."""
        return self.model

    @property
    def quantum_layers(self) -> dict[str, QuantumLayer]:
        """Every quantum layer by its module name."""
        return self.model.quantum_layers

    @property
    def passes(self) -> int:
        """One pass for each token."""
        return self.max_new_tokens

    def run_on(
        self, backend: EstimatorSource | BaseEstimatorV2, gradient: SampledGradient | None = None
    ) -> AbstractContextManager[None]:
        """Run all quantum layers on another estimator; as a context manager, until its end."""
        return self.model.run_on(backend, gradient)

    def encoded(self, samples: Samples, track: Track = silent) -> EncodedSamples:
        """The samples with their questions and answers as tokens.

        Raises:
            InputError: The model reads fewer tokens than one of them has.
        """
        rows = encode_training(self.processor, samples, track)
        check_length(rows, samples, most_tokens(self.model))
        return rows

    def prompts(self, samples: Sequence[Sample]) -> PromptBatch:
        """All questions as one batch.

        Raises:
            InputError: No samples.
        """
        images = [sample.image for sample in samples]
        return encode_prompts(self.processor, images, [s.question for s in samples])

    def inputs(self, samples: Sequence[Sample]) -> dict[str, Tensor]:
        """All questions as one batch, as arguments of the model."""
        return self.prompts(samples).inputs()

    def answers(self, samples: Sequence[Sample]) -> list[str]:
        """What is generated behind the questions."""
        images, questions = [s.image for s in samples], [s.question for s in samples]
        return answer(self.model, self.processor, images, questions, self.max_new_tokens)

    def limited(self, max_new_tokens: int) -> Self:
        """The same with answers of at most so many tokens."""
        return replace(self, max_new_tokens=max_new_tokens)

    def check_questions(self, samples: Sequence[Sample]) -> None:
        """Refuse questions, and lengths of answers, that are more than the model reads.

        Raises:
            InputError: One is too long.
        """
        questions = [sample.question for sample in samples]
        check_lengths(self.model, self.processor, questions, self.max_new_tokens)

    def accepts(self, sample: Sample, answer: str) -> bool:
        """What the data set says, word for word."""
        return sample.accepts(answer)

    def longer_than(self, samples: Sequence[Sample], tokens: int) -> int:
        """How many samples have no reference of at most so many tokens."""
        return longer_than(self.processor.tokenizer, samples, tokens)

    def notes(self, samples: Sequence[Sample]) -> list[str]:
        """How many samples have no answer that is short enough to be generated."""
        return notes_of_longer(self.processor.tokenizer, samples, self.max_new_tokens)

    def sample(
        self, image: Image.Image, question: str | None, questions: Mapping[str, str]
    ) -> Sample:
        """An image and a question of words that the model knows.

        Raises:
            InputError: No question, or words that it has never seen.
        """
        if question is None:
            raise InputError("the model answers questions: ask one with --question")
        self._check_words(question, questions)
        return Sample(image, "question", question, answer="")

    def _check_words(self, question: str, questions: Mapping[str, str]) -> None:
        """Refuse words that the model has never seen, rather than answer to something else."""
        tokenizer = self.processor.tokenizer
        encoded = tokenizer(question, return_offsets_mapping=True, add_special_tokens=False)
        pairs = zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        unknown = [
            question[start:end]
            for token, (start, end) in pairs
            # a special token is not a word, whatever the text looks like
            if token in tokenizer.all_special_ids
        ]
        if unknown or not encoded["input_ids"]:
            known = " ".join(repr(text) for text in questions.values())
            what = f"the model doesn't know {', '.join(map(repr, unknown))}" if unknown else "empty"
            raise InputError(f"question: {what}; it was trained on {known}")

    def described(self) -> dict[str, Any]:
        """Nothing: the training options say it all."""
        return {}


def configuration(options: TrainingOptions, tokenizer: Any = None) -> HybridVLMConfig:
    """The configuration of the model that options ask for.

    Args:
        options: What to train.
        tokenizer: Says how many tokens there are, and which are special.

    Raises:
        InputError: The patches don't fill the image.
    """
    config = HybridVLMConfig.recipe(
        options.recipe,
        64 if tokenizer is None else len(tokenizer),
        options.blocks,
        options.chosen_blocks,
        image_size=options.image_size,
        streams=options.streams,
        vision_attention=options.vision_attention,
        router_loss=options.router_loss,
    )
    if tokenizer is not None:
        text: Any = config.text_config
        for role in ("pad", "bos", "eos"):
            setattr(text, f"{role}_token_id", getattr(tokenizer, f"{role}_token_id"))
        config.image_token_id = tokenizer.convert_tokens_to_ids(SPECIAL_TOKENS["image"])
    return config


def build_model(
    options: TrainingOptions, data: DataSet | None = None
) -> tuple[HybridVLM, HybridVLMProcessor]:
    """An untrained model and its processor, the same for the same seed.

    Args:
        options: What to train.
        data: The data set of the options, if it is opened.
    """
    texts = (find_data(options.data) if data is None else data).vocabulary()
    processor = build_processor(configuration(options), texts, options.tokenizer)
    config = configuration(options, processor.tokenizer)
    set_seed(options.seed)
    return HybridVLM(config), processor
