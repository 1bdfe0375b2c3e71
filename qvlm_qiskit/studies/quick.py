"""Two sizes for a study: what it takes by default, and what ``--quick`` takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.studies.checks import check_distinct

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Sizes = Mapping[str, tuple[Any, Any]]
"""Option → its value by default, and with ``--quick``."""


SMALLEST = math.nextafter(0.0, 1.0)
"""The least value of what is positive."""
MANY, MOST_SEEDS = 10**6, 1000
"""Steps, samples or shots, and seeds; more are a slip of the hand. What is built of a size, such as
the layers of a circuit, has a smaller limit of its own."""


def sized(help_text: str, sizes: tuple[Any, Any]) -> str:
    """An option's help with both of its values."""
    whole, quick = (_shown(one) for one in sizes)
    return f"{help_text} By default {whole}; with --quick {quick}."


def fill(options: DataclassInstance, sizes: Sizes) -> None:
    """Give every option that was not given its value, in place of None or ``()``.

    Args:
        options: A frozen dataclass with ``quick``, in its ``__post_init__``.
        sizes: Both values of its options.
    """
    for name, (whole, quick) in sizes.items():
        if getattr(options, name) in (None, ()):
            chosen = quick if getattr(options, "quick") else whole  # noqa: B009
            object.__setattr__(options, name, chosen)


def check_numbers(
    options: DataclassInstance, least: Mapping[str, float], most: Mapping[str, float] | None = None
) -> None:
    """Refuse numbers out of range, and lists that are empty or hold a value twice.

    Args:
        options: Of a study; what is None is not looked at.
        least: Option → the least value of it, or of each of its values.
        most: Likewise the largest; of whole numbers by default `MOST_SEEDS` of seeds and `MANY` of
            all others. Every number is finite.

    Raises:
        InputError: The first that is wrong.
    """
    for name, low in least.items():
        if (given := getattr(options, name)) is None:
            continue
        values = given if isinstance(given, tuple) else (given,)
        check_distinct(name, values)
        if not all(low <= one < float("inf") for one in values):
            wanted = "positive and finite" if low == SMALLEST else f"at least {low:g}"
            raise InputError(f"{name} must be {wanted}, got {_shown(given)}")
        high = (most or {}).get(name, _usual_most(name, values))
        if max(values) > high:
            raise InputError(f"{name} must be at most {high:,}, got {_shown(given)}")


def _usual_most(name: str, values: Sequence[float]) -> float:
    if not all(isinstance(one, int) for one in values):
        return math.inf
    return MOST_SEEDS if name.endswith("seeds") else MANY


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        separator = "; " if value and isinstance(value[0], str) else ","
        return separator.join(_shown(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
