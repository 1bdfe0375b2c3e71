"""ROUGE-L as COCO's evaluation computes it: the longest common subsequence with a reference."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from qvlm_qiskit.evaluation.metrics.metric import References, SampleMean
from qvlm_qiskit.evaluation.metrics.registry import register_metric

BETA = 1.2
"""How much more recall counts than precision."""


@register_metric("rouge-l")
class RougeL(SampleMean):
    """Mean of (1 + β²) P R / (R + β² P), P and R the shares of the answer and of a reference.

    The shares are those of the longest common subsequence of tokens, β = 1.2. As pycocoevalcap:
    the greatest P and the greatest R count, be they of different references, and a text without
    tokens counts as one empty token. The package rouge-score computes another ROUGE-L.
    """

    labels = ("ROUGE-L",)
    tokenized = True
    source = "Lin 2004, section 3.2; pycocoevalcap 1.2, rouge.py"

    def scores(self, answers: Sequence[str], references: References) -> list[float]:
        """One F measure per sample."""
        return [_score(a, texts) for a, texts in zip(answers, references, strict=True)]


def _score(answer: str, references: Sequence[str]) -> float:
    # Not split(): no tokens are one empty token there, and a no-break space is inside a token.
    words = answer.split(" ")
    others = [reference.split(" ") for reference in references]
    common = [common_length(words, other) for other in others]
    precision = max(common) / len(words)
    recall = max(n / len(other) for n, other in zip(common, others, strict=True))
    if precision == 0:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def common_length(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence of two lists of words.

    All words of ``first`` are one row of bits (Hyyrö 2004): a bit falls where the subsequence
    grows.
    """
    at: dict[str, int] = defaultdict(int)
    for place, word in enumerate(first):
        at[word] |= 1 << place
    whole = row = (1 << len(first)) - 1
    for word in second:
        met = row & at[word]
        row = ((row + met) | (row - met)) & whole
    return len(first) - row.bit_count()
