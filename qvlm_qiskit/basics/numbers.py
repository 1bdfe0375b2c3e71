"""Numbers as users give them: NumPy's scalars count as Python's own."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any


def plain_number(value: Any) -> Any:
    """A NumPy scalar, or array without axes, as Python's own number; anything else as it is.

    Numbers that end up in names, JSON and digests have to be Python's own. A float32 becomes the
    float that is written like it: 0.1, not 0.10000000149.
    """
    if type(value).__module__ != "numpy" or getattr(value, "shape", None) != ():
        return value
    plain = value.item()
    return float(str(value)) if isinstance(plain, float) else plain


def use_plain_numbers(record: Any) -> None:
    """Put Python's own numbers in place of NumPy's into the fields of a dataclass, frozen or not.

    Lists and arrays in its fields become tuples of them.
    """
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, tuple | list) or getattr(value, "ndim", 0) == 1:
            plain: Any = tuple(plain_number(item) for item in value)
        else:
            plain = plain_number(value)
        if plain is not value:
            object.__setattr__(record, field.name, plain)


def is_whole(value: object) -> bool:
    """Whether a value is an int, and not a truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_real(value: object) -> bool:
    """Whether a value is a finite int or float, and not a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
