"""The only place that imports mitiq (GPL-3.0, an optional dependency)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qvlm_qiskit.basics.optional import optional
from qvlm_qiskit.errors import MitigationError, UnknownNameError

LINEAR_FACTORIES = ("linear", "richardson", "quadratic")
"""Extrapolations whose result is a weighted sum of the values."""


@lru_cache(maxsize=32)
def zero_noise_weights(extrapolation: str, scale_factors: tuple[float, ...]) -> tuple[float, ...]:
    """Weights c with which E(0) = Σ c_k·E(λ_k) extrapolates to zero noise.

    Linear, Richardson and polynomial fits depend linearly on the data, so extrapolating the unit
    vectors with mitiq gives the weights, and any number of values is then extrapolated at once.

    Args:
        extrapolation: One of `LINEAR_FACTORIES`.
        scale_factors: The noise scale factors λ_k, distinct and at least 1.

    Raises:
        MissingDependencyError: mitiq is not installed.
        MitigationError: An unknown extrapolation, or too few or repeated factors for it.
    """
    if extrapolation not in LINEAR_FACTORIES:
        unknown = UnknownNameError("extrapolation", extrapolation, LINEAR_FACTORIES)
        raise MitigationError(str(unknown))
    needed = 3 if extrapolation == "quadratic" else 2
    if len(scale_factors) < needed or len(set(scale_factors)) != len(scale_factors):
        raise MitigationError(
            f"{extrapolation} extrapolation needs at least {needed} distinct scale factors, "
            f"not {scale_factors}"
        )
    extrapolate = _extrapolator(extrapolation)
    count = len(scale_factors)
    units = [[float(i == k) for i in range(count)] for k in range(count)]
    return tuple(float(extrapolate(list(scale_factors), unit)) for unit in units)


def exponential_limits(
    scale_factors: tuple[float, ...], values: NDArray[np.float64], asymptote: float
) -> NDArray[np.float64]:
    """Zero-noise limits of y(λ) = a + b·exp(−c·λ) with a known a, by mitiq's ExpFactory.

    Args:
        scale_factors: The K noise scale factors λ_k.
        values: (K, N) values, in each column all on one side of the asymptote.
        asymptote: a, the value at infinite noise.

    Returns:
        The N limits y(0).

    Raises:
        MissingDependencyError: mitiq is not installed.
    """
    factory = _inference().ExpFactory
    scales = list(scale_factors)
    limits = np.empty(values.shape[1])
    with warnings.catch_warnings():
        # With two factors the fit has no residual, and mitiq warns that it can't state an error;
        # the error is propagated by our caller.
        warnings.simplefilter("ignore", category=_inference().ExtrapolationWarning)
        for column in range(values.shape[1]):
            curve = values[:, column].tolist()
            limits[column] = factory.extrapolate(scales, curve, asymptote=float(asymptote))
    return limits


def check_installed() -> None:
    """Make sure that extrapolation can run.

    Raises:
        MissingDependencyError: mitiq is not installed.
    """
    _inference()


def _extrapolator(extrapolation: str) -> Callable[[list[float], list[float]], Any]:
    inference = _inference()
    if extrapolation == "linear":
        return lambda scales, values: inference.LinearFactory.extrapolate(scales, values)
    if extrapolation == "richardson":
        return lambda scales, values: inference.RichardsonFactory.extrapolate(scales, values)
    return lambda scales, values: inference.PolyFactory.extrapolate(scales, values, order=2)


def _inference() -> Any:
    with optional("mitigation", "zero-noise extrapolation", mitiq="mitiq"):
        from mitiq.zne import inference
    return inference
