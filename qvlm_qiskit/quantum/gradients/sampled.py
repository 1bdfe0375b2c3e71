"""How a layer is differentiated on an estimator that samples: the method, and what is skipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from qiskit.primitives.base import BaseEstimatorV2
from torch import Tensor

from qvlm_qiskit.quantum.gradients.batched import BatchedEstimatorGradient
from qvlm_qiskit.sampled_gradients import (
    DEFAULT_EPSILON,
    DEFAULT_SAMPLES,
    SampledMethod,
    check_sampled_gradient,
)


@dataclass
class Skipped:
    """How many derivatives of a loss were skipped, of how many, since the count began."""

    skipped: int = 0
    all: int = 0

    @property
    def fraction(self) -> float:
        """Skipped ones among all; 0 where there were none."""
        return self.skipped / self.all if self.all else 0.0

    def without_small(self, slopes: Tensor, variances: Tensor) -> Tensor:
        """Derivatives of a loss without those below their standard error; counts both."""
        kept = slopes.square() >= variances
        self.all += kept.numel()
        self.skipped += int((~kept).sum())
        return torch.where(kept, slopes, 0.0)

    def __add__(self, other: Skipped) -> Skipped:
        """Both counts."""
        return Skipped(self.skipped + other.skipped, self.all + other.all)

    def restart(self) -> None:
        """Count from now on."""
        self.skipped = self.all = 0


@dataclass(frozen=True)
class SampledGradient:
    """Derivatives of sampled expectation values, for `QuantumLayer.run_on`.

    Attributes:
        method: "param_shift": for every gate angle two values (four for controlled rotations),
            unbiased. "spsa": two values per random direction, whatever the number of angles; the
            mean over directions is the gradient, a single one is far from it.
        prune: Skip (set to zero) a weight's derivative of the loss that is below its own standard
            error, which follows from those of the values it was computed from; as after Wang et
            al., arXiv:2202.13239, who skip small ones at random. With "param_shift" only: all
            derivatives of an SPSA direction have the same size.
        epsilon: SPSA's step, in radians.
        samples: SPSA's number of directions.
        seed: Of the directions; None draws fresh ones.

    Raises:
        InputError: Numbers out of range, or an option of the other method.
        UnknownNameError: Another method.
    """

    method: SampledMethod = "param_shift"
    prune: bool = False
    epsilon: float = DEFAULT_EPSILON
    samples: int = DEFAULT_SAMPLES
    seed: int | None = None

    def __post_init__(self) -> None:
        """Refuse what can't be computed."""
        check_sampled_gradient(self.method, self.prune, self.samples, self.epsilon)

    def through(self, estimator: BaseEstimatorV2) -> Differentiator:
        """What computes such derivatives with an estimator."""
        chosen = {"epsilon": self.epsilon, "samples": self.samples, "seed": self.seed}
        options: dict[str, Any] = chosen if self.method == "spsa" else {}
        gradient = BatchedEstimatorGradient(estimator, method=self.method, **options)
        return Differentiator(gradient, Skipped() if self.prune else None)


class Differentiator(NamedTuple):
    """A gradient object, and the count of what is skipped; None where nothing is."""

    gradient: BatchedEstimatorGradient
    skipped: Skipped | None


def as_sampled(gradient: SampledGradient | SampledMethod | None) -> SampledGradient | None:
    """A method by its name is that method with its defaults.

    Raises:
        UnknownNameError: No such method.
    """
    return SampledGradient(gradient) if isinstance(gradient, str) else gradient
