"""What a model gives the right answers on held-out samples, on whatever machine it runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from qvlm_qiskit.data.batch import IGNORED, check_length, collate, encode_training
from qvlm_qiskit.data.sample import Sample
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation.generate import most_tokens
from qvlm_qiskit.evaluation.metrics.metric import TokenScores
from qvlm_qiskit.model import HybridVLM, HybridVLMProcessor


def answer_loss(
    model: HybridVLM,
    processor: HybridVLMProcessor,
    samples: Sequence[Sample],
    *,
    batch_size: int = 100,
) -> float:
    """Mean cross-entropy of the right answers' tokens, in nats per token.

    Args:
        model: In evaluation mode, on any estimator.
        processor: The one it was trained with.
        samples: Questions with their answers.
        batch_size: Samples per forward pass.

    Raises:
        InputError: No samples, a batch size below 1, or an answer that is longer than what the
            model reads.
    """
    scores = token_scores(model, processor, samples, batch_size=batch_size)
    return float(scores.loss.sum() / scores.tokens.sum())


def token_scores(
    model: HybridVLM,
    processor: HybridVLMProcessor,
    samples: Sequence[Sample],
    *,
    batch_size: int = 100,
) -> TokenScores:
    """How probable the right answers' tokens are, each behind the right ones before it.

    Args:
        model: In evaluation mode, on any estimator.
        processor: The one it was trained with.
        samples: Questions with their answers.
        batch_size: Samples per forward pass.

    Raises:
        InputError: No samples, a batch size below 1, or an answer that is longer than what the
            model reads.
    """
    if not samples or batch_size < 1:
        raise InputError(f"a loss needs samples, got {len(samples)} in batches of {batch_size}")
    rows = encode_training(processor, samples)
    check_length(rows, samples, most_tokens(model))
    found = []
    with torch.inference_mode():
        for start in range(0, len(rows), batch_size):
            batch = collate(rows[start : start + batch_size])
            labels = batch.pop("labels")
            found.append(_scores(model(**batch).logits, labels))
    loss, right, tokens = np.concatenate(found, axis=1)
    return TokenScores(loss, right, tokens)


def _scores(logits: Tensor, labels: Tensor) -> np.typing.NDArray[np.float64]:
    """``(3, B)``: losses, right tokens and all tokens; ``(B, T, V)`` and ``(B, T)`` are given."""
    # The first token is predicted from nothing.
    logits, labels = logits[:, :-1].float(), labels[:, 1:].to(logits.device)
    losses = cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
    right = logits.argmax(dim=-1) == labels
    asked = labels != IGNORED
    sums = torch.stack([x.double().sum(dim=1) for x in (losses, right, asked)])
    return sums.cpu().numpy()
