"""What the options of several studies refuse in the same words."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from qvlm_qiskit.errors import InputError


def check_distinct(name: str, values: Collection[Any]) -> None:
    """Refuse a list that is empty or holds a value twice.

    Args:
        name: Of the option.
        values: What it was given; hashable.

    Raises:
        InputError: It makes no axis of a study.
    """
    if not values or len(set(values)) != len(values):
        raise InputError(f"{name} must be distinct and not empty, got {list(values)}")
