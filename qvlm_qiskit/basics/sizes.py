"""How large what others have sent or written may be, unpacked: a few bytes can stand for many.

QVLM_MOST_MIB=4096    MiB that one answer, package or stored file may have; by default 1024
"""

from __future__ import annotations

import os

from qvlm_qiskit.errors import InputError, QVLMError

VARIABLE = "QVLM_MOST_MIB"
DEFAULT_MIB = 1024


class TooLargeError(QVLMError):
    """Something received is larger than is read."""


def most_bytes() -> int:
    """The limit in bytes.

    Raises:
        InputError: The variable is no whole number above 0.
    """
    text = os.environ.get(VARIABLE, str(DEFAULT_MIB))
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"{VARIABLE} is {text!r}; it must be a whole number of MiB above 0")
    return int(text) * 2**20


def check_size(what: str, count: int) -> None:
    """Refuse what is too large, before it is read.

    Raises:
        TooLargeError: It is; the message says how to read it all the same.
    """
    most = most_bytes()
    if count > most:
        raise TooLargeError(
            f"{what} has {count / 2**20:,.0f} MiB, more than the {most // 2**20:,} that are read "
            f"({VARIABLE} sets the limit)"
        )
