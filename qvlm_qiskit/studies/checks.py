"""What the options of several studies refuse in the same words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from functools import cache
from os import PathLike
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from qvlm_qiskit.basics.numbers import is_whole, use_plain_numbers
from qvlm_qiskit.errors import InputError, arrived

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MOST = 2**63
"""Whole numbers are below it: NumPy and torch have none that are larger."""
WORDS: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "True or False",
    Path: "a path",
    NoneType: "None",
}


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


def check_types(options: DataclassInstance) -> None:
    """Refuse what is not of its field's type.

    NumPy's numbers become Python's, lists tuples, and texts that name files paths.

    Args:
        options: Of a study, a dataclass; first of all in its ``__post_init__``.

    Raises:
        InputError: The first that is wrong.
    """
    use_plain_numbers(options)
    hints = _hints(type(options))
    for field in fields(options):
        value, hint = getattr(options, field.name), hints[field.name]
        if not _fits(value, hint):
            raise InputError(f"{field.name} must be {_said(hint)}, got {arrived(value)}")
        object.__setattr__(options, field.name, _with_paths(value, hint))


def _with_paths(value: Any, hint: Any) -> Any:
    """Texts that name files, as paths."""
    if isinstance(value, tuple):
        return tuple(_with_paths(one, get_args(hint)[0]) for one in value)
    return Path(value) if isinstance(value, str) and Path in (hint, *get_args(hint)) else value


@cache
def _hints(kind: type[DataclassInstance]) -> dict[str, Any]:
    return get_type_hints(kind)


def _fits(value: Any, hint: Any) -> bool:
    kinds = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, one) for one in kinds)
    if get_origin(hint) is Literal:
        return isinstance(value, str) and value in kinds
    if get_origin(hint) in (tuple, Sequence):
        return isinstance(value, tuple) and all(_fits(one, kinds[0]) for one in value)
    if get_origin(hint) is Callable:
        return callable(value)
    if hint is Path:
        return isinstance(value, str | PathLike)
    if hint in (int, float):
        whole = is_whole(value) and abs(value) < MOST
        return whole or (hint is float and isinstance(value, float))
    return not isinstance(hint, type) or isinstance(value, hint)


def _said(hint: Any) -> str:
    kinds = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(map(_said, kinds))
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(kinds)
    if get_origin(hint) in (tuple, Sequence):
        return f"several, each {_said(kinds[0])}"
    if get_origin(hint) is Callable:
        return "a function"
    return WORDS.get(hint, getattr(hint, "__name__", str(hint)))
