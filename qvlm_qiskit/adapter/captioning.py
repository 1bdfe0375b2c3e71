"""Prompts and answers as tokens of a pretrained tokenizer.

A prompt is encoded with its answer, since tokenizers of pieces of words join the end of one with
the beginning of the other: what both encodings share is the prompt, the rest is learned. At
inference the prompt ends at the same token. Behind the answer stands the token that ends a text,
and is a label too: a model that is never taught it never stops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from qvlm_qiskit.errors import InputError

IGNORED = -100
"""The label of what is not learned, as torch and transformers have it."""


def prompt_tokens(tokenizer: Any, prompt: str) -> list[int]:
    """The tokens of a prompt that an answer leaves as they are.

    Args:
        tokenizer: Of transformers.
        prompt: A text, or none.
    """
    alone = _encoded(tokenizer, prompt.rstrip())
    followed = _encoded(tokenizer, _joined(prompt, "a"))
    return alone[: _shared(alone, followed)]


def learned_tokens(tokenizer: Any, prompt: str, answer: str) -> tuple[list[int], int]:
    """The tokens of a prompt and its answer with the end, and how many of them are the prompt's.

    Args:
        tokenizer: With a token that ends texts.
        prompt: A text, or none.
        answer: What is learned.

    Raises:
        InputError: The answer is empty.
    """
    if not answer.strip():
        raise InputError("an empty answer can't be learned")
    before = prompt_tokens(tokenizer, prompt)
    whole = _encoded(tokenizer, _joined(prompt, answer))
    return [*whole, tokenizer.eos_token_id], _shared(before, whole)


def learned_batch(
    tokenizer: Any, pairs: Sequence[tuple[str, str]], length: int | None = None
) -> dict[str, Tensor]:
    """``input_ids``, ``attention_mask`` and ``labels`` of prompts and answers, padded on the right.

    Args:
        tokenizer: With a token that ends texts and one to pad with.
        pairs: Prompts and answers.
        length: Tokens of every row; by default those of the longest.

    Raises:
        InputError: A row is longer.
    """
    rows = [learned_tokens(tokenizer, *pair) for pair in pairs]
    longest = max((len(tokens) for tokens, _ in rows), default=0)
    length = longest if length is None else length
    if longest > length:
        raise InputError(f"a prompt and its answer have {longest} tokens, more than {length}")
    ids = torch.full((len(rows), length), int(tokenizer.pad_token_id))
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORED)
    for row, (tokens, known) in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
        labels[row, known : len(tokens)] = torch.tensor(tokens[known:])
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def prompt_batch(tokenizer: Any, prompts: Sequence[str]) -> dict[str, Tensor]:
    """``input_ids`` and ``attention_mask`` of prompts, padded on the left."""
    rows = [prompt_tokens(tokenizer, prompt) for prompt in prompts]
    length = max(map(len, rows), default=0)
    ids = torch.full((len(rows), length), int(tokenizer.pad_token_id))
    mask = torch.zeros_like(ids)
    for row, tokens in enumerate(rows):
        if tokens:
            ids[row, -len(tokens) :] = torch.tensor(tokens)
            mask[row, -len(tokens) :] = 1
    return {"input_ids": ids, "attention_mask": mask}


def _joined(prompt: str, answer: str) -> str:
    prompt = prompt.rstrip()
    return f"{prompt} {answer.strip()}" if prompt else answer.strip()


def _encoded(tokenizer: Any, text: str) -> list[int]:
    """Tokens of a text, with those that a tokenizer puts in front and not those behind."""
    tokens: list[int] = list(tokenizer(text)["input_ids"])
    if tokens and tokens[-1] == tokenizer.eos_token_id:
        tokens.pop()
    return tokens


def _shared(first: Sequence[int], second: Sequence[int]) -> int:
    pairs = enumerate(zip(first, second, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(first), len(second)))
