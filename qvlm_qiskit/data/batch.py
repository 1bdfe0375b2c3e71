"""Samples → tensors: the prompt format, training labels, and prompts to generate from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from qvlm_qiskit.data.sample import Sample
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.model.processing import HybridVLMProcessor

IGNORED = -100


@dataclass(frozen=True)
class PromptBatch:
    """Inputs of ``model.generate``, padded on the left.

    Attributes:
        input_ids: ``(B, T)``.
        attention_mask: ``(B, T)``.
        pixel_values: ``(B, C, H, W)``.
    """

    input_ids: Tensor
    attention_mask: Tensor
    pixel_values: Tensor

    def __len__(self) -> int:
        return len(self.input_ids)

    def __getitem__(self, rows: slice) -> PromptBatch:
        return PromptBatch(self.input_ids[rows], self.attention_mask[rows], self.pixel_values[rows])

    def inputs(self) -> dict[str, Tensor]:
        """As keyword arguments of the model."""
        return {
            "input_ids": self.input_ids,
            "attention_mask": self.attention_mask,
            "pixel_values": self.pixel_values,
        }


def prompt(processor: HybridVLMProcessor, question: str) -> str:
    """The text in front of an answer: start token, image, question."""
    return f"{processor.tokenizer.bos_token}{processor.image_token}{question}"


def encode_prompts(
    processor: HybridVLMProcessor, images: Sequence[object], questions: Sequence[str]
) -> PromptBatch:
    """Questions about images, ready for ``generate``.

    Args:
        processor: Image processor and tokenizer.
        images: One PIL image per question.
        questions: Without the image token.

    Raises:
        InputError: No questions, or another number of images.
    """
    if not questions or len(images) != len(questions):
        raise InputError(f"{len(images)} images for {len(questions)} questions")
    features = processor(
        images=list(images),
        text=[prompt(processor, q) for q in questions],
        padding=True,
        return_tensors="pt",
    )
    return PromptBatch(features["input_ids"], features["attention_mask"], features["pixel_values"])


def encode_training(
    processor: HybridVLMProcessor, samples: Iterable[Sample]
) -> list[dict[str, Tensor]]:
    """Rows for transformers' ``Trainer``: labels on the answer and the end token only.

    All rows are padded on the right to the longest one.

    Raises:
        InputError: No samples.
    """
    samples = list(samples)
    if not samples:
        raise InputError("training needs at least 1 sample")
    tokenizer = processor.tokenizer
    questions = [prompt(processor, s.question) for s in samples]
    texts = [
        f"{q} {s.answer}{tokenizer.eos_token}" for q, s in zip(questions, samples, strict=True)
    ]
    features = processor(
        images=[s.image for s in samples],
        text=texts,
        padding=True,
        padding_side="right",
        return_tensors="pt",
    )
    labels = features["input_ids"].masked_fill(features["attention_mask"] == 0, IGNORED)
    for row, question in enumerate(questions):
        answer_start = len(tokenizer(question)["input_ids"]) + processor.num_image_tokens - 1
        labels[row, :answer_start] = IGNORED
    columns = {**features, "labels": labels}
    return [{name: column[i] for name, column in columns.items()} for i in range(len(samples))]


def collate(rows: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Stack rows of equal shapes."""
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
