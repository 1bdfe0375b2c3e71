"""What a metric is: statistics of every sample, and a function of their sums.

All of them are such functions, means and corpus scores alike, so that one bootstrap serves all: it
sums the statistics of the samples that it draws.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from qvlm_qiskit.evaluation.metrics.bootstrap import Estimate, bootstrap

Array = npt.NDArray[np.float64]
References = Sequence[Sequence[str]]
"""Per sample, all answers that people gave, or captions that they wrote; repeated ones count."""


@dataclass(frozen=True)
class TokenScores:
    """What a model gives the right answers' tokens, each behind the right ones before it.

    Attributes:
        loss: ``(N,)`` sum over a sample's tokens of -ln p, in nats.
        right: ``(N,)`` tokens that had the greatest probability.
        tokens: ``(N,)`` tokens of the answer, its end among them.
    """

    loss: Array
    right: Array
    tokens: Array


class Metric(ABC):
    """One number, or a few of one computation, that say how good a model's answers are.

    Attributes:
        name: What ``--metric`` calls it; `register_metric` sets it.
        labels: What its numbers are called.
        unit: Of its numbers.
        bounds: The lowest and the highest value that there is.
        source: Where it is defined.
        interval: How its interval comes about.
        is_mean: Whether its number is the mean of the samples' first statistic.
    """

    name: ClassVar[str] = ""
    labels: ClassVar[tuple[str, ...]]
    unit: ClassVar[str] = "share"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    source: ClassVar[str]
    interval: ClassVar[str] = "bootstrap"
    is_mean: ClassVar[bool] = False

    def check(self) -> None:  # noqa: B027  (most need nothing)
        """Refuse to begin where something is missing on this machine.

        Raises:
            QVLMError: It is.
        """

    @abstractmethod
    def value(self, sums: Array) -> Array:
        """The numbers of a set of samples.

        Args:
            sums: ``(…, K)`` sums of its samples' statistics.

        Returns:
            ``(…, len(labels))``.
        """

    def estimate(self, statistics: Array, seed: int) -> Estimate:
        """The numbers of all samples, and their 95 % intervals.

        Args:
            statistics: ``(N, K)``.
            seed: Of the bootstrap.
        """
        return bootstrap(self.value, statistics, seed)


class TextMetric(Metric):
    """A metric of generated answers and what people answered.

    Attributes:
        tokenized: Whether it takes the tokens of captions, joined by spaces, in place of texts.
    """

    tokenized: ClassVar[bool] = False

    def check_references(self, references: References) -> None:
        """Refuse references that the metric is not defined for.

        Raises:
            InputError: There are too few.
        """

    @abstractmethod
    def statistics(self, answers: Sequence[str], references: References) -> Array:
        """What `value` wants the sums of, ``(N, K)``.

        Args:
            answers: One per sample.
            references: One or more per sample.
        """


class SampleMean(TextMetric):
    """A metric that is the mean of a score per sample."""

    is_mean = True

    @abstractmethod
    def scores(self, answers: Sequence[str], references: References) -> Sequence[float]:
        """One score per sample, of one or more references each."""

    def statistics(self, answers: Sequence[str], references: References) -> Array:
        """``(N, 2)``: the score, and 1."""
        scores = np.asarray(self.scores(answers, references), dtype=float)
        return np.column_stack([scores, np.ones(len(scores))])

    def value(self, sums: Array) -> Array:
        """The mean."""
        return sums[..., :1] / sums[..., 1:]


class TokenMetric(Metric):
    """A metric of the right answers' tokens, each predicted from the right ones before it."""

    @abstractmethod
    def statistics(self, scores: TokenScores) -> Array:
        """What `value` wants the sums of, ``(N, K)``."""


class VerdictMetric(Metric):
    """A metric of which answers are right, as their data set judges them."""

    @abstractmethod
    def statistics(self, right: Sequence[bool]) -> Array:
        """What `value` wants the sums of, ``(N, K)``."""


@dataclass(frozen=True)
class Measured:
    """One number of a metric, with its 95 % interval.

    Attributes:
        metric: The metric's name.
        label: What the number is called.
        value: Of all samples.
        low: Lower end of the interval.
        high: Its upper end.
        unit: Of the three.
        interval: "bootstrap" (percentiles over samples) or "wilson".
        samples: How many there were.
        per_sample: Each sample's score, where the number is their mean.
    """

    metric: str
    label: str
    value: float
    low: float
    high: float
    unit: str
    interval: str
    samples: int
    per_sample: tuple[float, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON, without the samples' scores."""
        return {name: value for name, value in vars(self).items() if name != "per_sample"}
