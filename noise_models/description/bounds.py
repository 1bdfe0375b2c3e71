"""What is physical: bounds of probabilities, durations and relaxation times, scaled or not."""

from __future__ import annotations

import math
from typing import Any

from qvlm_qiskit.basics.numbers import is_real
from qvlm_qiskit.errors import NoiseModelError


def check_probability(name: str, value: Any) -> None:
    """Refuse anything but a number in [0, 1].

    Raises:
        NoiseModelError: `value` is not a probability.
    """
    if not is_real(value) or not 0.0 <= value <= 1.0:
        raise NoiseModelError(f"{name} is {value!r}; a probability is a number between 0 and 1")


def check_duration(what: str, value: Any) -> None:
    """Refuse a duration in ns that is negative or no number.

    Raises:
        NoiseModelError: It is.
    """
    if not is_real(value) or value < 0:
        raise NoiseModelError(f"duration_ns of {what} is {value!r}; it must be at least 0")


def check_times(t1_us: Any, t2_us: Any) -> None:
    """Refuse times that are not positive, and a T2 above 2·T1.

    Raises:
        NoiseModelError: One is not physical.
    """
    for name, value in (("t1_us", t1_us), ("t2_us", t2_us)):
        if value is not None and not (is_real(value) and value > 0):
            raise NoiseModelError(f"{name} is {value!r}; it must be a positive time in µs")
    # A calibration that stores T2 = 2·T1 exactly must survive the change of units.
    if t1_us is not None and t2_us is not None and t2_us > 2 * t1_us * (1 + 1e-9):
        raise NoiseModelError(
            f"t2_us={t2_us} is above 2·t1_us={2 * t1_us}: no physical process dephases more "
            "slowly than relaxation alone"
        )


def check_factor(factor: float) -> None:
    """Refuse a factor that is negative or not finite.

    Raises:
        NoiseModelError: It is.
    """
    if not math.isfinite(factor) or factor < 0:
        raise NoiseModelError(f"noise scale is {factor!r}; it must be at least 0")


def scaled_time(time_us: float | None, factor: float) -> float | None:
    """A time divided by the factor; None (no relaxation) for factor 0."""
    return None if time_us is None or factor == 0 else time_us / factor


def scaled_value(value: float, factor: float, bound: float, what: str) -> float:
    """`value` times the factor; what lies at its bound already stays there.

    Raises:
        NoiseModelError: The product lies beyond the bound.
    """
    if factor == 0:
        return 0.0
    if abs(value) >= bound:
        return value
    if abs(value * factor) > bound:
        raise NoiseModelError(
            f"noise scale {factor:g} takes the {what} from {value:.3g} to {value * factor:.3g}; "
            f"the most that is physical is {bound:.3g}"
        )
    return value * factor
