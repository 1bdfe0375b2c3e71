"""Text that others have written, as it may be shown on a terminal.

A service's words, a ledger's notes and a data set's questions can hold escape sequences, which a
terminal obeys, and characters that turn the direction of writing or show nothing.
"""

from __future__ import annotations

import json
import re
import unicodedata
from functools import cache
from typing import Any

_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, the cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS, …
    r"|\x1b[ -/]*[0-~]?"
)


def shown(text: Any) -> str:
    """The text on one line, without escape sequences and invisible characters."""
    plain = _SEQUENCE.sub("", str(text))
    return "".join(
        " " if char in "\n\r\t" else char for char in plain if char in "\n\r\t" or _is_visible(char)
    )


def shown_json(value: Any, ascii_only: bool = False) -> str:
    """Plain data as readable JSON, in which such characters, or all beyond ASCII, are escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=ascii_only)
    return "".join(char if char == "\n" or _is_visible(char) else _escaped(char) for char in text)


@cache
def _is_visible(char: str) -> bool:
    # Controls, formats (writing direction, no width), halves of surrogate pairs, separators.
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _escaped(char: str) -> str:
    return json.dumps(char)[1:-1]
