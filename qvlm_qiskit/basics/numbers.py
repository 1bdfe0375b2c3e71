"""Numbers as users give them: NumPy's scalars count as Python's own."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

from qvlm_qiskit.errors import InputError, arrived


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


def check_whole(name: str, value: object, least: int = 1, most: int | None = None) -> None:
    """Refuse what is no whole number of this range; NumPy's are taken.

    Raises:
        InputError: It isn't.
    """
    found = plain_number(value)
    if not is_whole(found) or found < least or (most is not None and found > most):
        room = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise InputError(f"{name} is a whole number {room}, got {arrived(value)}")


def check_positive(name: str, value: object, zero: bool = False) -> None:
    """Refuse what is no positive finite number; NumPy's are taken.

    Args:
        name: What the message calls it.
        value: Anything.
        zero: Whether zero is taken too.

    Raises:
        InputError: It isn't one.
    """
    found = plain_number(value)
    if not is_real(found) or found < 0 or (found == 0 and not zero):
        kind = "not negative" if zero else "positive"
        raise InputError(f"{name} must be {kind} and finite, got {arrived(value)}")


def check_truth(name: str, value: object) -> None:
    """Refuse what is neither true nor false; NumPy's are taken.

    Raises:
        InputError: It isn't.
    """
    if not isinstance(plain_number(value), bool):
        raise InputError(f"{name} is True or False, got {arrived(value)}")


def is_real(value: object) -> bool:
    """Whether a value is an int or float that a float can hold, and not a truth value."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
