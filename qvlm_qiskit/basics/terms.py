"""Terms in a text: ``name(1,b=2)``, several of them joined by "+".

Mitigations and noise formulas are written so. What a name means, which arguments it takes and what
an argument's value may be is their business; here a text is only taken apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from qvlm_qiskit.errors import InputError


class TermError(InputError):
    """A text that is not of the form ``name(1,b=2)``."""


@dataclass(frozen=True)
class Argument:
    """One argument of a term.

    Attributes:
        name: What stands before "="; None where the argument has no name.
        value: The rest.
    """

    name: str | None
    value: str

    def __str__(self) -> str:
        return self.value if self.name is None else f"{self.name}={self.value}"


@dataclass(frozen=True)
class NamedTerm:
    """A name with arguments.

    Attributes:
        name: What stands before the parenthesis.
        arguments: What stands inside; None where there is no parenthesis.
    """

    name: str
    arguments: tuple[Argument, ...] | None = None

    @classmethod
    def read(cls, text: str) -> NamedTerm:
        """Take ``name(1,b=2)`` apart.

        Raises:
            TermError: Something stands behind the closing parenthesis, or there is none.
        """
        name, bracket, rest = text.strip().partition("(")
        if not bracket:
            return cls(name.strip())
        if not rest.endswith(")"):
            raise TermError(f"{text!r} has an open parenthesis")
        inside = rest[:-1]
        parts = split(inside, ",") if inside.strip() else []
        return cls(name.strip(), tuple(_argument(part) for part in parts))


def split(text: str, separator: str = "+") -> list[str]:
    """The stripped parts of a text between the separators that stand outside parentheses."""
    parts, depth, start = [], 0, 0
    for index, letter in enumerate(text):
        depth = max(0, depth + (letter == "(") - (letter == ")"))
        if letter == separator and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    return [*parts, text[start:].strip()]


def is_balanced(text: str) -> bool:
    """Whether every parenthesis has its other half, in order."""
    depth = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            return False
    return depth == 0


def _argument(text: str) -> Argument:
    name, equals, value = text.partition("=")
    # In "zne(scales=1,3)", an unnamed value, the sign belongs to what is inside.
    if equals and "(" not in name:
        return Argument(name.strip(), value.strip())
    return Argument(None, text)
