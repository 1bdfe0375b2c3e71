"""Samples → tensors: the prompt format, training labels, and prompts to generate from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import cast, overload

import torch
from torch import Tensor
from torch.utils.data import Dataset

from qvlm_qiskit.basics.computer.memory import memory_bytes
from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.data.sample import Sample, Samples
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
        add_special_tokens=False,
        return_tensors="pt",
    )
    return PromptBatch(features["input_ids"], features["attention_mask"], features["pixel_values"])


class EncodedSamples(Dataset[dict[str, Tensor]]):
    """Samples as rows for transformers' ``Trainer``; all texts are encoded, and padded alike.

    Pictures are encoded in advance where they take little of the memory, otherwise on access.
    """

    def __init__(
        self, processor: HybridVLMProcessor, samples: Samples, track: Track = silent
    ) -> None:
        """Encode the texts, and the pictures unless they are many.

        Raises:
            InputError: No samples.
        """
        if not len(samples):
            raise InputError("training needs at least 1 sample")
        self._processor, self._samples = processor, samples
        texts = getattr(samples, "texts", None)
        pairs = texts() if texts else [(s.question, s.answer) for s in samples]
        self._columns = _encoded_texts(processor, pairs)
        first = processor.pixels([samples[0].image])
        in_advance = _SHARE * memory_bytes() >= 2 * first.nbytes * len(samples)
        self._pixels = self._encoded_pictures(track) if in_advance else None

    def _encoded_pictures(self, track: Track) -> Tensor:
        found = []
        with track("encoding samples", len(self)) as report:
            for start in range(0, len(self), _AT_ONCE):
                part = range(start, min(start + _AT_ONCE, len(self)))
                found.append(self._processor.pixels([self._samples[i].image for i in part]))
                report(part.stop)
        return torch.cat(found)

    @property
    def longest(self) -> tuple[int, int]:
        """The number of the longest row, and its tokens."""
        lengths = self._columns["attention_mask"].sum(-1)
        return int(lengths.argmax()), int(lengths.max())

    def first_taught(self, token: int) -> int | None:
        """The number of the first row whose answer has a token; None where none has."""
        found = (self._columns["labels"] == token).any(-1).nonzero()
        return int(found[0]) if len(found) else None

    def __len__(self) -> int:
        return len(self._samples)

    @overload
    def __getitem__(self, index: int) -> dict[str, Tensor]: ...

    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Tensor]]: ...

    def __getitem__(self, index: int | slice) -> dict[str, Tensor] | list[dict[str, Tensor]]:
        """A row, or a list of rows."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        row = {name: column[index] for name, column in self._columns.items()}
        if self._pixels is not None:
            pixels = self._pixels[index]
        else:
            pixels = self._processor.pixels([self._samples[index].image])[0]
        return {**row, "pixel_values": pixels}

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        return (self[i] for i in range(len(self)))


_SHARE = 0.25
"""Of the memory, for pictures that are encoded in advance, and once more while they are stacked."""
_AT_ONCE = 500


def encode_training(
    processor: HybridVLMProcessor, samples: Iterable[Sample], track: Track = silent
) -> EncodedSamples:
    """Rows for transformers' ``Trainer``: labels on the answer and the end token only.

    All rows are padded on the right to the longest one.

    Args:
        processor: Image processor and tokenizer.
        samples: Questions with their answers.
        track: Opens progress bars.

    Raises:
        InputError: No samples.
    """
    indexed = hasattr(samples, "__getitem__") and hasattr(samples, "__len__")
    known = cast(Samples, samples if indexed else list(samples))
    return EncodedSamples(processor, known, track)


def check_length(rows: EncodedSamples, samples: Samples, most: int) -> None:
    """Refuse samples that are longer than what a model reads.

    Raises:
        InputError: One is.
    """
    number, tokens = rows.longest
    if tokens > most:
        sample = samples[number]
        where = f" ({sample.sources[0]})" if sample.sources else ""
        raise InputError(
            f"{tokens} tokens of image, question and answer are more than the {most} that the "
            f"model reads{where}: {shorten(sample.answer, 60)!r}"
        )


def _encoded_texts(
    processor: HybridVLMProcessor, pairs: Sequence[tuple[str, str]]
) -> dict[str, Tensor]:
    """``input_ids``, ``attention_mask`` and ``labels`` of questions and answers.

    Raises:
        InputError: A text holds the image token, or the tokenizer can't read it.
    """
    tokenizer = processor.tokenizer
    if wrong := next((t for pair in pairs for t in pair if processor.image_token in t), None):
        raise InputError(f"{processor.image_token!r} stands for the image, and not in {wrong!r}")
    questions = [processor.expanded(prompt(processor, question)) for question, _ in pairs]
    texts = [
        f"{q} {answer}{tokenizer.eos_token}"
        for q, (_, answer) in zip(questions, pairs, strict=True)
    ]
    try:
        found = tokenizer(
            texts,
            padding=True,
            padding_side="right",
            add_special_tokens=False,
            return_tensors="pt",
        )
    except Exception as error:  # tokenizers has no class of its own
        raise InputError(f"the tokenizer can't read the questions and answers: {error}") from error
    ids, mask = found["input_ids"], found["attention_mask"]
    labels = ids.masked_fill(mask == 0, IGNORED)
    for row, question in enumerate(tokenizer(questions, add_special_tokens=False)["input_ids"]):
        labels[row, : _shared_start(question, ids[row].tolist())] = IGNORED
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def _shared_start(question: Sequence[int], whole: Sequence[int]) -> int:
    """How many tokens a question and the whole text begin with alike.

    A tokenizer of pieces of words may join the end of a question with what follows.
    """
    pairs = enumerate(zip(question, whole, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(question), len(whole)))


def collate(rows: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Stack rows of equal shapes."""
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
