"""Images and questions → answers, by greedy generation."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten
from typing import Any

import torch
from PIL import Image

from qvlm_qiskit.data.batch import encode_prompts, prompt
from qvlm_qiskit.data.sample import Sample
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.model import HybridVLM, HybridVLMProcessor
from qvlm_qiskit.recipes import MAX_NEW_TOKENS


def answer(
    model: HybridVLM,
    processor: HybridVLMProcessor,
    images: Sequence[Image.Image],
    questions: Sequence[str],
    max_new_tokens: int = MAX_NEW_TOKENS,
) -> list[str]:
    """Answer one question about each image, on whatever estimator the model runs on.

    Args:
        model: In evaluation mode.
        processor: The one it was trained with.
        images: Any size and mode.
        questions: One per image, without the image token.
        max_new_tokens: Longest answer in tokens.

    Returns:
        One answer per question, without special tokens.
    """
    batch = encode_prompts(processor, images, questions)
    with torch.inference_mode():
        tokens = model.generate(**batch.inputs(), max_new_tokens=max_new_tokens, do_sample=False)
    new = tokens[:, batch.input_ids.shape[1] :]
    return [text.strip() for text in processor.batch_decode(new, skip_special_tokens=True)]


def most_tokens(model: HybridVLM) -> int:
    """How many tokens a model reads at once."""
    text: Any = model.config.get_text_config()
    return int(text.max_position_embeddings)


def check_lengths(
    model: HybridVLM,
    processor: HybridVLMProcessor,
    questions: Sequence[str],
    max_new_tokens: int = MAX_NEW_TOKENS,
) -> None:
    """Refuse questions, and lengths of answers, that are more than a model reads.

    Args:
        model: Says how many tokens it reads.
        processor: The one it was trained with.
        questions: Without the image token.
        max_new_tokens: Longest answer; one above the default has to fit behind every question.

    Raises:
        InputError: One is too long, or answers would have no token.
    """
    if max_new_tokens < 1:
        raise InputError(f"an answer has at least 1 token, got {max_new_tokens}")
    most = most_tokens(model)
    texts = [processor.expanded(prompt(processor, question)) for question in questions]
    encoded = processor.tokenizer(texts, add_special_tokens=False)["input_ids"]
    length, index = max((len(ids), -i) for i, ids in enumerate(encoded))
    shown = repr(shorten(questions[-index], 60, placeholder=" …"))
    if length > most:
        raise InputError(
            f"{length} tokens of image and question are more than the {most} that the model "
            f"reads: {shown}"
        )
    left = most - length + 1  # the last new token is not read
    if max_new_tokens > max(MAX_NEW_TOKENS, left):
        raise InputError(
            f"answers of {max_new_tokens} tokens do not fit: the model reads {most}, and image "
            f"and question take {length}, which leaves {left}: {shown}"
        )


def longer_than(tokenizer: Any, samples: Sequence[Sample], tokens: int) -> int:
    """How many samples have no reference of at most so many tokens."""
    shortest = (
        min(map(len, tokenizer(list(texts), add_special_tokens=False)["input_ids"]))
        for texts in (sample.said for sample in samples)
    )
    return sum(length > tokens for length in shortest)


def notes_of_longer(tokenizer: Any, samples: Sequence[Sample], most: int) -> list[str]:
    """A sentence about samples without an answer that is short enough to be generated, if any."""
    if not (longer := longer_than(tokenizer, samples, most)):
        return []
    return [
        f"all that people said of {longer} of {len(samples)} samples is longer than the "
        f"{most} tokens that are generated"
    ]
