"""Ids as they may stand in a ledger: they become names of files and parts of addresses.

A ledger can come from somebody else. What is no plain name is refused where it is read.
"""

from __future__ import annotations

import re
from typing import Any

from qvlm_qiskit.errors import LedgerError

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SERVER_ID = re.compile(r"[A-Za-z0-9](?!.*\.\.)[A-Za-z0-9._:/=@-]{0,127}")


def checked_id(what: str, text: Any) -> str:
    """An id that can't lead out of a folder.

    Raises:
        LedgerError: It is another text.
    """
    if not isinstance(text, str) or not _ID.fullmatch(text) or ".." in text:
        raise LedgerError(f"{text!r} is no id of a {what}: letters, digits, ., _ and - are")
    return text


def checked_server_id(text: Any) -> str:
    """An id that a machine gave; some machines' have colons and slashes.

    Raises:
        LedgerError: It is another text.
    """
    if not isinstance(text, str) or not _SERVER_ID.fullmatch(text):
        raise LedgerError(f"{text!r} is no job's id: letters, digits, ., _, -, :, /, = and @ are")
    return text
