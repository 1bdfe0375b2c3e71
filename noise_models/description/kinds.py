"""Kinds of error by name: what a description is taken apart into, and how a choice is written."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from qvlm_qiskit.errors import NoiseModelError, UnknownNameError

KINDS = ("readout", "one-qubit", "two-qubit", "relaxation", "crosstalk")
"""Every error of a description is of one of these kinds; `channels.parts` says which."""
ALL = "all"
EVERY = frozenset(KINDS)


def read_kinds(text: str) -> frozenset[str]:
    """The kinds that a text names: "all", or some joined by "+", such as "readout+two-qubit".

    Raises:
        UnknownNameError: Another kind.
        NoiseModelError: No text, or a kind twice.
    """
    if text == ALL:
        return EVERY
    if not isinstance(text, str) or not text:
        raise NoiseModelError(f"error kinds are {text!r}; give 'all', or some of {shown(KINDS)}")
    names = [name.strip() for name in text.split("+")]
    for name in names:
        if name not in KINDS:
            raise UnknownNameError("error kind", name, (ALL, *KINDS))
    if len(set(names)) != len(names):
        raise NoiseModelError(f"error kinds are {text!r}; each is named once")
    return frozenset(names)


def kinds_text(kinds: Collection[str]) -> str:
    """The one text of a choice of kinds; "all" where none is left out."""
    return ALL if set(kinds) == EVERY else "+".join(kind for kind in KINDS if kind in kinds)


def check_kinds(name: str, asked: str, there: Collection[str]) -> None:
    """Refuse kinds of error that a noise does not have.

    Args:
        name: Of the noise, for the message.
        asked: The choice, as `read_kinds` reads it; "all" is what there is.
        there: The kinds that it has.

    Raises:
        NoiseModelError: One of those that are asked for is not there.
    """
    for kind in KINDS if asked != ALL else ():
        if kind in read_kinds(asked) and kind not in there:
            has = f"it has: {shown(there)}" if there else "it has no errors"
            raise NoiseModelError(f"{name} has no {kind} errors ({has})")


def shown(kinds: Iterable[str]) -> str:
    """Kinds for a message, in their order."""
    return ", ".join(kind for kind in KINDS if kind in set(kinds))
