"""METEOR as COCO's evaluation computes it: alignments by Java's METEOR 1.5, their score here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qvlm_qiskit.evaluation.captions import java
from qvlm_qiskit.evaluation.metrics.metric import Array, References, TextMetric
from qvlm_qiskit.evaluation.metrics.registry import register_metric

# METEOR 1.5's parameters for English.
ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75
MODULES = np.array([1.0, 0.6, 0.8, 0.6])
"""Weights of matches that are exact, of one stem, synonyms and paraphrases."""


@register_metric("meteor")
class Meteor(TextMetric):
    """(1 - γ (chunks / matches)^β) × P R / (α P + (1 - α) R), of sums over the corpus.

    P and R are weighted shares of matched words of answers and references; content words count δ,
    function words 1 - δ. Java aligns every answer with its references and says what it counts of
    the best one; the formula is computed here, so that a bootstrap needs no Java.
    """

    labels = ("METEOR",)
    tokenized = True
    source = "Denkowski and Lavie 2014; meteor-1.5.jar of pycocoevalcap 1.2"

    def check(self) -> None:
        """Refuse to begin without Java or without METEOR.

        Raises:
            InputError: There is no Java.
            MissingDependencyError: pycocoevalcap is not installed.
        """
        java.find_jar(java.METEOR, "metric 'meteor'")

    def statistics(self, answers: Sequence[str], references: References) -> Array:
        """``(N, 23)``: what METEOR counts, see `of_lines`."""
        return of_lines(java.meteor_statistics(answers, references))

    def value(self, sums: Array) -> Array:
        """The score of sums."""
        words, function = sums[..., :2], sums[..., 2:4]
        # Per module: of the answer and the reference, content words, then function words.
        content_hits, function_hits = np.split(
            sums[..., 4:20].reshape(*sums.shape[:-1], 4, 4), 2, axis=-1
        )
        hits = DELTA * content_hits + (1 - DELTA) * function_hits
        matched = np.einsum("m,...ms->...s", MODULES, hits)
        precision, recall = np.moveaxis(
            _share(matched, DELTA * (words - function) + (1 - DELTA) * function), -1, 0
        )
        mean = _share(precision * recall, ALPHA * precision + (1 - ALPHA) * recall)
        chunks = _share(sums[..., 20], sums[..., 21:].mean(axis=-1))
        score: Array = ((1 - GAMMA * chunks**BETA) * mean)[..., None]
        return score


def of_lines(lines: Sequence[str]) -> Array:
    """METEOR's lines of statistics as numbers that may be summed.

    Args:
        lines: Each has the words of the answer and the reference, the function words among them,
            matches of four modules (content words of both, function words of both), chunks, and
            matched words of both.

    Returns:
        ``(N, 23)``; an answer that is its reference word for word has no chunks, as METEOR sums it.
    """
    numbers = np.array([line.split() for line in lines], dtype=float)
    whole = (numbers[:, 21:] == numbers[:, :2]).all(axis=1) & (numbers[:, 20] == 1)
    numbers[whole, 20] = 0
    return numbers


def _share(part: Array, whole: Array) -> Array:
    """Quotient, 0 where there is nothing."""
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)
