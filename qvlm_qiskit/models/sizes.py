"""What the sizes of classifiers may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qvlm_qiskit.errors import InputError

MOST = 4096
"""Pixels of a side, channels, units or words; more are a slip of the hand, or hours."""


def check_sizes(options: Any, names: Sequence[str]) -> None:
    """Refuse sizes that no classifier has.

    Args:
        options: Of a model.
        names: Of its attributes that are whole numbers.

    Raises:
        InputError: One is below 1 or above `MOST`.
    """
    for name in names:
        if not 1 <= (size := getattr(options, name)) <= MOST:
            raise InputError(f"{name} must be from 1 to {MOST:,}, got {str(size)[:24]}")
