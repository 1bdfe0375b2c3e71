"""Exact match: the answer is one that the data set accepts, by default word for word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qvlm_qiskit.evaluation.metrics.bootstrap import Estimate
from qvlm_qiskit.evaluation.metrics.intervals import Accuracy
from qvlm_qiskit.evaluation.metrics.metric import Array, VerdictMetric
from qvlm_qiskit.evaluation.metrics.registry import register_metric


@register_metric("exact-match")
class ExactMatch(VerdictMetric):
    """The share of answers that are right.

    Its interval is Wilson's, as that of every accuracy here: a bootstrap of answers that are all
    right would claim that no other could be wrong.
    """

    labels = ("exact match",)
    source = "share of right answers; interval: Wilson 1927"
    interval = "wilson"
    is_mean = True

    def statistics(self, right: Sequence[bool]) -> Array:
        """``(N, 2)``: whether an answer is right, and 1."""
        return np.column_stack([np.asarray(right, dtype=float), np.ones(len(right))])

    def value(self, sums: Array) -> Array:
        """Right answers / all."""
        return sums[..., :1] / sums[..., 1:]

    def estimate(self, statistics: Array, seed: int) -> Estimate:
        """The share, with Wilson's interval; nothing is drawn."""
        found = Accuracy(round(statistics[:, 0].sum()), len(statistics))
        numbers = (found.value, *found.interval)
        return Estimate(*(np.array([number]) for number in numbers))
