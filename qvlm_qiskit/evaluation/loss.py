"""The training loss of a model on held-out samples, on whatever machine it runs."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from qvlm_qiskit.data.batch import IGNORED, collate, encode_training
from qvlm_qiskit.data.sample import Sample
from qvlm_qiskit.errors import InputError
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
        InputError: No samples, or a batch size below 1.
    """
    if not samples or batch_size < 1:
        raise InputError(f"a loss needs samples, got {len(samples)} in batches of {batch_size}")
    rows = encode_training(processor, samples)
    total, tokens = 0.0, 0
    with torch.inference_mode():
        for start in range(0, len(rows), batch_size):
            batch = collate(rows[start : start + batch_size])
            # the first token is predicted from nothing
            count = int((batch["labels"][:, 1:] != IGNORED).sum())
            total += float(model(**batch).loss.detach()) * count
            tokens += count
    return total / tokens
