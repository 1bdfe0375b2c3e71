"""Accuracies and differences of accuracies, each with a 95 % confidence interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

CONFIDENCE = 0.95
RESAMPLES = 4000


@dataclass(frozen=True)
class Accuracy:
    """Correct answers of a number of independent questions, with Wilson's interval."""

    correct: int
    total: int

    @property
    def value(self) -> float:
        """The share of correct answers."""
        return self.correct / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval (Wilson 1927)."""
        bounds = binomtest(self.correct, self.total).proportion_ci(CONFIDENCE, method="wilson")
        return float(bounds.low), float(bounds.high)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        low, high = self.interval
        return {
            "correct": self.correct,
            "total": self.total,
            "accuracy": self.value,
            "low": low,
            "high": high,
        }

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:6.1%} [{low:.1%}, {high:.1%}]"


@dataclass(frozen=True)
class PairedDifference:
    """A difference of two accuracies on the same questions, with its bootstrap interval."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """Plain data for JSON."""
        return {"difference": self.value, "low": self.low, "high": self.high}


def paired_difference(
    first: Sequence[bool], second: Sequence[bool], seed: int = 0
) -> PairedDifference:
    """Accuracy of ``first`` minus that of ``second`` on the same questions.

    The interval is the percentile bootstrap over questions, which keeps the pairing.

    Raises:
        ValueError: Different or zero numbers of questions.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} questions can't be paired")
    delta = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    if len(delta) == 0:
        raise ValueError("a difference needs at least one question")
    rng = np.random.default_rng(seed)
    means = delta[rng.integers(0, len(delta), size=(RESAMPLES, len(delta)))].mean(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return PairedDifference(float(delta.mean()), float(low), float(high))
