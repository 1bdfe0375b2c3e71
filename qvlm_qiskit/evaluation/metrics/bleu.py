"""BLEU-1 … BLEU-4 as COCO's evaluation computes them, of the whole corpus."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qvlm_qiskit.evaluation.captions.ngrams import LONGEST, Ngrams, ngrams
from qvlm_qiskit.evaluation.metrics.metric import Array, References, TextMetric
from qvlm_qiskit.evaluation.metrics.registry import register_metric

# What keeps pycocoevalcap from dividing by 0; without any match BLEU is theirs, not quite 0.
_SMALL, _TINY = 1e-9, 1e-15


@register_metric("bleu")
class Bleu(TextMetric):
    """(∏ₖ≤ₙ matches of k-grams / k-grams)^(1/n) × min(1, exp(1 - reference length / length)).

    A match counts at most as often as in the reference that has it most often; the reference
    length is that nearest to the answer's, the shorter of two. Sums are over the corpus, so that
    no sample has a BLEU of its own.
    """

    labels = tuple(f"BLEU-{n}" for n in range(1, LONGEST + 1))
    tokenized = True
    source = "Papineni et al. 2002, section 2.3; pycocoevalcap 1.2, bleu_scorer.py"

    def statistics(self, answers: Sequence[str], references: References) -> Array:
        """``(N, 10)``: length, reference length, k-grams and matches for k = 1 … 4."""
        return np.array([_counts(a, r) for a, r in zip(answers, references, strict=True)], float)

    def value(self, sums: Array) -> Array:
        """``(…, 4)``: BLEU-1 … BLEU-4."""
        length, wanted = sums[..., :1], sums[..., 1:2]
        guessed, matched = np.split(sums[..., 2:], 2, axis=-1)
        product = np.cumprod((matched + _TINY) / (guessed + _SMALL), axis=-1)
        ratio = (length + _TINY) / (wanted + _SMALL)
        brevity = np.exp(np.minimum(1 - 1 / ratio, 0.0))
        scores: Array = product ** (1 / np.arange(1, LONGEST + 1)) * brevity
        return scores


def _counts(answer: str, references: Sequence[str]) -> list[int]:
    """One sample's statistics."""
    length = len(answer.split())
    lengths = [len(reference.split()) for reference in references]
    nearest = min((abs(other - length), other) for other in lengths)[1]
    most: Ngrams = Ngrams()
    for reference in references:
        most |= ngrams(reference)
    matched = [0] * LONGEST
    for gram, times in (ngrams(answer) & most).items():
        matched[len(gram) - 1] += times
    return [length, nearest, *(max(0, length - k) for k in range(LONGEST)), *matched]
