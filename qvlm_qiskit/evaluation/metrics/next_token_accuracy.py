"""Next-token accuracy: how often the right answer's next token is the most probable one."""

from __future__ import annotations

import numpy as np

from qvlm_qiskit.evaluation.metrics.metric import Array, TokenMetric, TokenScores
from qvlm_qiskit.evaluation.metrics.registry import register_metric


@register_metric("next-token-accuracy")
class NextTokenAccuracy(TokenMetric):
    """Right tokens / all tokens of the right answers, their ends among them.

    Each token is predicted from the right tokens before it (teacher forcing), so this says less
    than what a model generates: an early mistake has no consequences.
    """

    labels = ("next-token accuracy",)
    source = "share of tokens whose logit is the greatest, under teacher forcing"

    def statistics(self, scores: TokenScores) -> Array:
        """``(N, 2)``: right tokens, and all."""
        return np.column_stack([scores.right, scores.tokens])

    def value(self, sums: Array) -> Array:
        """Right tokens / all tokens."""
        return sums[..., :1] / sums[..., 1:]
