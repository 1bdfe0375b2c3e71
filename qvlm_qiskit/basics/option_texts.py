"""Options of a model or a block, typed by a dataclass: ``num_qubits=4`` on a command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from qvlm_qiskit.errors import InputError, UnknownNameError

_TRUTHS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def read_options(kind: type[Any], texts: Mapping[str, str], whose: str) -> Any:
    """An options object of texts by field.

    Args:
        kind: A dataclass whose fields are numbers, texts, truths (yes, no), or may be none.
        texts: Values by field; the others have their defaults.
        whose: The model, for messages.

    Raises:
        UnknownNameError: No such field.
        InputError: A value is of another type, or one is missing or refused by the dataclass.
    """
    values = read_values(kind, texts, whose)
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{whose}: {error}") from error


def read_values(kind: type[Any], texts: Mapping[str, str], whose: str) -> dict[str, Any]:
    """What `texts` say, of the types of a dataclass's fields.

    Args:
        kind: As in `read_options`.
        texts: Values by field.
        whose: The model or block, for messages.

    Raises:
        UnknownNameError: No such field.
        InputError: A value is of another type.
    """
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    types = get_type_hints(kind)
    for name in texts:
        if name not in fields:
            raise UnknownNameError(f"option of {whose}", name, fields)
    return {name: _read(text, types[name], f"{whose}: {name}") for name, text in texts.items()}


def _read(text: str, wanted: Any, what: str) -> Any:
    if get_origin(wanted) in (Union, UnionType):
        others = [one for one in get_args(wanted) if one is not NoneType]
        if NoneType in get_args(wanted) and text.lower() == "none":
            return None
        wanted = others[0] if len(others) == 1 else wanted
    if wanted is bool and text.lower() in _TRUTHS:
        return _TRUTHS[text.lower()]
    if wanted not in (bool, int, float, str):
        raise InputError(f"{what} is a {wanted}, which no text can say")
    try:
        if wanted is not bool:
            return wanted(text)
    except ValueError as error:
        raise InputError(f"{what} is a number ({wanted.__name__}), not {text!r}") from error
    raise InputError(f"{what} is yes or no, not {text!r}")
