"""The only place that imports mitiq (GPL-3.0, an optional dependency)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from qvlm_qiskit.errors import MissingDependencyError, MitigationError, UnknownNameError

EXTRAPOLATIONS = ("linear", "richardson", "quadratic")


@lru_cache(maxsize=32)
def zero_noise_weights(extrapolation: str, scale_factors: tuple[float, ...]) -> tuple[float, ...]:
    """Weights c with which E(0) = Σ c_k·E(λ_k) extrapolates to zero noise.

    Linear, Richardson and polynomial fits depend linearly on the data, so extrapolating the unit
    vectors with mitiq gives the weights, and any number of values is then extrapolated at once.

    Args:
        extrapolation: One of `EXTRAPOLATIONS`.
        scale_factors: The noise scale factors λ_k, distinct and at least 1.

    Raises:
        MissingDependencyError: mitiq is not installed.
        MitigationError: An unknown extrapolation, or too few or repeated factors for it.
    """
    if extrapolation not in EXTRAPOLATIONS:
        unknown = UnknownNameError("extrapolation", extrapolation, EXTRAPOLATIONS)
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


def _extrapolator(extrapolation: str) -> Callable[[list[float], list[float]], Any]:
    try:
        from mitiq.zne import inference
    except ImportError as ex:
        raise MissingDependencyError("mitiq", "mitigation", "zero-noise extrapolation") from ex
    if extrapolation == "linear":
        return lambda scales, values: inference.LinearFactory.extrapolate(scales, values)
    if extrapolation == "richardson":
        return lambda scales, values: inference.RichardsonFactory.extrapolate(scales, values)
    return lambda scales, values: inference.PolyFactory.extrapolate(scales, values, order=2)
