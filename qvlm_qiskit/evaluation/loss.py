"""What a model gives the right answers on held-out samples, on whatever machine it runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset

from qvlm_qiskit.data.batch import (
    IGNORED,
    EncodedSamples,
    check_length,
    collate,
    encode_training,
)
from qvlm_qiskit.data.sample import Sample
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation.exam import Exam
from qvlm_qiskit.evaluation.metrics.metric import TokenScores
from qvlm_qiskit.model import HybridVLM, HybridVLMProcessor
from qvlm_qiskit.models.generate import most_tokens
from qvlm_qiskit.models.hybrid_vlm import VisionLanguageModel


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


def exam_loss(exam: Exam, *, batch_size: int = 100) -> float:
    """Mean loss of an exam's right answers: `answer_loss` of words, else what the module returns.

    Args:
        exam: A model on any estimator, and samples with their answers.
        batch_size: Samples per forward pass.

    Raises:
        InputError: No samples, or one whose answer the model can't learn.
    """
    model = exam.model
    if isinstance(model, VisionLanguageModel):
        return answer_loss(model.model, model.processor, exam.samples, batch_size=batch_size)
    return row_loss(model.module, model.encoded(exam.samples), batch_size)


def row_loss(module: nn.Module, rows: Dataset[dict[str, Tensor]], batch_size: int = 100) -> float:
    """Mean over encoded samples of the loss that a module returns for their batches.

    Args:
        module: In evaluation mode, on any estimator and device.
        rows: Samples with their labels.
        batch_size: Samples per forward pass.
    """
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    total, samples = 0.0, 0
    with torch.inference_mode():
        for batch in DataLoader(rows, batch_size=batch_size, collate_fn=collate):
            there = {name: part.to(device) for name, part in batch.items()}
            count = len(there["labels"])
            total += float(module(**there)["loss"]) * count
            samples += count
    return total / samples


def language_model(exam: Exam) -> VisionLanguageModel:
    """The model of an exam, where it generates its answers token by token.

    Raises:
        InputError: It gives them at once.
    """
    if not isinstance(exam.model, VisionLanguageModel):
        raise InputError(
            "next-token-accuracy and perplexity are of an answer's tokens, and "
            f"{exam.model.name} gives its answers at once: leave them out"
        )
    return exam.model


def exam_tokens(exam: Exam, *, batch_size: int = 100) -> TokenScores:
    """`token_scores` of an exam's samples.

    Raises:
        InputError: The model gives its answers at once, or an answer is longer than what it reads.
    """
    model = language_model(exam)
    return token_scores(model.model, model.processor, exam.samples, batch_size=batch_size)


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
    return row_scores(model, rows, batch_size)


def row_scores(model: HybridVLM, rows: EncodedSamples, batch_size: int = 100) -> TokenScores:
    """The same of samples that are encoded already, on whatever device the model is."""
    found = []
    with torch.inference_mode():
        for start in range(0, len(rows), batch_size):
            batch = collate(rows[start : start + batch_size])
            labels = batch.pop("labels")
            there = {name: part.to(model.device) for name, part in batch.items()}
            found.append(_scores(model(**there).logits, labels))
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
