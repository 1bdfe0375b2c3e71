"""Names of things that lie somewhere: ``NAME``, ``NAME:PLACE`` or ``NAME:PLACE(key=value,…)``.

Data sets are written so. Which names there are, and which keys they take, is their business; here a
text is only taken apart, so that a wrong one is refused before anything is imported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from qvlm_qiskit.errors import InputError

_FORM = re.compile(
    r"(?P<name>[^:()]+)(:(?P<place>.*?))?(?P<options>\(\s*[a-z_]\w*\s*=.*\))?", re.DOTALL
)
_OPTION = re.compile(
    r"\s*([a-z_]\w*)\s*=((?:[^()]|\([^()]*\)|[()])*?)(?=,\s*[a-z_]\w*\s*=|$)", re.DOTALL
)


@dataclass(frozen=True)
class PlacedName:
    """A name, where what it names lies, and how it is to be read.

    Attributes:
        name: What stands before the colon.
        place: What stands behind it; None where there is no colon.
        options: Key → value of the parenthesis at the end. A value holds commas, unless what
            follows looks like the next key and stands in no parenthesis of the value.
    """

    name: str
    place: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> PlacedName:
        """Take ``NAME:PLACE(key=value,…)`` apart.

        Raises:
            InputError: There is no name or no place behind the colon, or a key stands twice.
        """
        # Empty parentheses say nothing behind a name; behind a place they are a part of it.
        said = text if ":" in text else re.sub(r"\(\s*\)\s*$", "", text)
        found = _FORM.fullmatch(said.strip())
        if found is None or not found["name"].strip() or found["place"] == "":
            raise InputError(
                f"{text!r} is not of the form NAME, NAME:PLACE or NAME:PLACE(key=value)"
            )
        options: dict[str, str] = {}
        for key, value in _OPTION.findall((found["options"] or "()")[1:-1]):
            if key in options:
                raise InputError(f"{text!r} says {key}= twice")
            options[key] = value.strip()
        return cls(found["name"].strip(), found["place"], options)

    def __str__(self) -> str:
        place = "" if self.place is None else f":{self.place}"
        inside = ",".join(f"{key}={value}" for key, value in self.options.items())
        return f"{self.name}{place}" + (f"({inside})" if inside else "")


def listed(text: str) -> list[str]:
    """Names that are joined by commas outside of parentheses."""
    parts, depth = [""], 0
    for sign in text:
        depth = max(0, depth + (sign == "(") - (sign == ")"))
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts]
