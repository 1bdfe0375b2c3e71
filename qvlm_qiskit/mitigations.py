"""Which mitigations there are, by name; nothing heavy is imported for it.

A technique is a file in ``backends/mitigation/techniques`` or an entry point of another
distribution in the group ``qvlm_qiskit.mitigations``. What a technique is and does is in
`qvlm_qiskit.backends.mitigation.step`.
"""

from __future__ import annotations

from typing import Any

from qvlm_qiskit.basics.registry import Registry
from qvlm_qiskit.basics.terms import NamedTerm, TermError, is_balanced, split
from qvlm_qiskit.errors import MitigationError, UnknownNameError

# From the simplest to what chooses among the others. A technique that is not here is listed last.
READING_ORDER = (
    "none", "readout", "zne", "cdr", "learned-zne", "pea", "pec", "twirling", "dd", "resilience-0",
    "resilience-1", "resilience-2", "auto",
)  # fmt: skip

TECHNIQUES: Registry[Any] = Registry(
    "mitigation", "qvlm_qiskit.mitigations", "backends/mitigation/techniques", first=READING_ORDER
)


def mitigation_terms(text: str) -> list[NamedTerm]:
    """The techniques that a text names, with their parameters as they are written.

    Args:
        text: Techniques joined by "+", with parameters in parentheses:
            ``readout+zne(scales=1,3,5)``.

    Raises:
        MitigationError: An unknown technique, or a text that can't be read.
    """
    if not is_balanced(text):
        raise MitigationError(f"mitigation {text!r} has unbalanced parentheses")
    try:
        terms = [NamedTerm.read(part) for part in split(text)]
        for term in terms:
            TECHNIQUES.check(term.name)
    except UnknownNameError as ex:
        raise MitigationError(str(ex)) from ex
    except TermError as ex:
        raise MitigationError(f"mitigation {ex}") from ex
    return terms


def check_mitigation(text: str) -> None:
    """Refuse an unknown technique or an unreadable text, without importing any technique.

    Parameters, what goes together, and what a machine offers are checked when a backend is opened.

    Raises:
        MitigationError: The message has the nearest known name.
    """
    mitigation_terms(text)
