"""Perplexity: among how many equally probable tokens the model seems to choose."""

from __future__ import annotations

import math
import sys

import numpy as np

from qvlm_qiskit.evaluation.metrics.metric import Array, TokenMetric, TokenScores
from qvlm_qiskit.evaluation.metrics.registry import register_metric

MOST_NATS = math.log(sys.float_info.max)
"""exp of more is no double."""


@register_metric("perplexity")
class Perplexity(TokenMetric):
    """exp(mean of -ln p over all tokens of the right answers, their ends among them).

    Under teacher forcing, as next-token accuracy; 1 is the best. Perplexities of models with
    different vocabularies can't be compared.
    """

    labels = ("perplexity",)
    unit = "tokens"
    bounds = (1.0, math.inf)
    source = "Jelinek et al. 1977; exp of the mean cross entropy in nats"

    def statistics(self, scores: TokenScores) -> Array:
        """``(N, 2)``: the losses' sum in nats, and the number of tokens."""
        return np.column_stack([scores.loss, scores.tokens])

    def value(self, sums: Array) -> Array:
        """exp(loss per token); beyond what doubles hold, their greatest."""
        value: Array = np.exp(np.minimum(sums[..., :1] / sums[..., 1:], MOST_NATS))
        return value
