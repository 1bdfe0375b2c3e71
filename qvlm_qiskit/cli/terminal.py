"""What a terminal may lack: a width, letters beyond ASCII, and a Python that compiles."""

from __future__ import annotations

import codecs
import os
import sys

from qvlm_qiskit.errors import InputError

PLAIN = {
    "–": "-", "—": "-", "−": "-", "…": "...", "×": "x", "→": "->", "←": "<-", "≤": "<=",
    "≥": ">=", "±": "+-", "≈": "~", "·": "*", "⟨": "<", "⟩": ">", "²": "^2", "³": "^3", "⁶": "^6",
    "π": "pi", "γ": "gamma", "Σ": "sum", "µ": "u", "μ": "u", "│": "|", "─": "-", "“": '"', "”": '"',
    "’": "'",
}  # fmt: skip
"""How a terminal without a letter is shown it; others become a question mark."""


def prepare_terminal() -> None:
    """Print what can be printed wherever the output goes, at a width that can be."""
    for name in ("COLUMNS", "LINES"):
        if not os.environ.get(name, "1").isdecimal() or int(os.environ.get(name, "1")) < 1:
            del os.environ[name]  # a nonsense of the shell's: ask the terminal itself
    codecs.register_error("qvlm_plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="qvlm_plain")


def refuse_what_python_can_not_do() -> None:
    """Refuse to run where the engine's kernels can't be compiled.

    Raises:
        InputError: ``NUMBA_DISABLE_JIT`` is set; the kernels have no other form.
    """
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        raise InputError("the engine's kernels are compiled by Numba: unset NUMBA_DISABLE_JIT")


def _plain(error: UnicodeError) -> tuple[str, int]:
    """An error handler of `codecs`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wanted = error.object[error.start : error.end]
    return "".join(PLAIN.get(letter, "?") for letter in wanted), error.end
