"""Percentile bootstrap over samples, of any function of sums over samples (Efron 1979)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qvlm_qiskit.evaluation.metrics.intervals import CONFIDENCE, RESAMPLES

Array = npt.NDArray[np.float64]

_AT_ONCE = 2**22
"""Draws that are held at once: 32 MiB."""


@dataclass(frozen=True)
class Estimate:
    """Numbers with their 95 % intervals, three arrays ``(L,)``."""

    value: Array
    low: Array
    high: Array


def bootstrap(value: Callable[[Array], Array], statistics: Array, seed: int = 0) -> Estimate:
    """The numbers of all samples, and the 2.5 % and 97.5 % percentiles over drawn ones.

    Args:
        value: ``(…, K)`` sums over samples → ``(…, L)`` numbers.
        statistics: ``(N, K)`` of the samples.
        seed: Of the draws, each of N samples with replacement.
    """
    sums = np.concatenate([statistics.sum(axis=0)[None], _drawn_sums(statistics, seed)])
    numbers = value(sums)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(numbers[1:], [tail, 1 - tail], axis=0)
    return Estimate(numbers[0], low, high)


def _drawn_sums(statistics: Array, seed: int) -> Array:
    """``(RESAMPLES, K)``: the sums of the samples of each draw."""
    rng, count = np.random.default_rng(seed), len(statistics)
    rows = max(1, _AT_ONCE // count)
    sums = []
    for start in range(0, RESAMPLES, rows):
        drawn = rng.integers(0, count, size=(min(rows, RESAMPLES - start), count))
        places = (drawn + count * np.arange(len(drawn))[:, None]).ravel()
        times = np.bincount(places, minlength=drawn.size).reshape(drawn.shape)
        sums.append(times @ statistics)
    return np.concatenate(sums)
