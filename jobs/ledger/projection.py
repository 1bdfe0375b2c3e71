"""One number per row, by which rows near another are found among millions.

    projection(x) = Σ_i w_i x_i,  1/2 < w_i < 1

Rows that differ by at most δ in every parameter have projections that differ by at most δ · Σ w_i,
so an index of projections leads to all of them, and to hardly any other.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

_GOLDEN = (math.sqrt(5) - 1) / 2
_ROUNDING = 1e-12
"""Of a sum of products, relative to the sum of their sizes: computers add in different orders."""


def projection(values: ArrayLike) -> float:
    """The number of a row; 0 where it would not be finite.

    Args:
        values: (parameters,).
    """
    row = np.asarray(values, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        found = float(row @ _weights(len(row)))
    return found if math.isfinite(found) else 0.0


def window(values: ArrayLike, bound: float) -> tuple[float, float]:
    """Between which numbers all rows are that differ by at most `bound` in every parameter.

    Args:
        values: (parameters,).
        bound: In radians.
    """
    row = np.asarray(values, dtype=np.float64)
    weights = _weights(len(row))
    with np.errstate(over="ignore"):
        largest = float((np.abs(row) + bound) @ weights)  # what a row within the bound sums up to
        reach = bound * float(weights.sum()) + _ROUNDING * largest
    centre = projection(row)
    return centre - reach, centre + reach


def _weights(count: int) -> NDArray[np.float64]:
    # Equally spaced ones would give equal sums to rows whose values are exchanged.
    places = np.arange(1, count + 1, dtype=np.float64) * np.float64(_GOLDEN)
    return np.asarray(0.5 + 0.5 * np.mod(places, 1.0), dtype=np.float64)
