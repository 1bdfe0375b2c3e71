"""Every error that a user of qvlm-qiskit can cause, as one tree.

    QVLMError
    ├── InputError                 a path, a number, an option or an image that can't be used
    │   ├── UnknownNameError       a name that is not in a known list; says the nearest known one
    │   └── RunFolderError         a run folder that is missing, incomplete or of another version
    ├── CircuitError               a circuit, parameter or observable that can't be run exactly
    ├── BackendError               a backend that can't be opened or can't do what was asked
    │   ├── CapacityError          more qubits, shots or memory than the backend has
    │   ├── CredentialsError       no usable IBM Quantum account
    │   └── MitigationError        a mitigation that is unknown or not possible there
    ├── NoiseModelError            a noise description that is not physical or not readable
    ├── LedgerError                a stored job or result that is damaged or of another version
    ├── JobError                   a job that can't be submitted, followed or read
    │   ├── JobPending             its results are not there yet; nothing is wrong
    │   ├── JobFailedError         it ended without results
    │   └── BudgetError            it would exceed an allowance, a limit or the user's budget
    ├── ProcessLostError           another process of the same training has ended
    └── MissingDependencyError     an optional package that is not installed

The command line prints such an error as one line and exits with status 2. A `FallbackWarning`
says that something runs otherwise than it could have, which the user allowed.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from typing import Any

LONGEST_SHOWN = 120


def arrived(value: object) -> str:
    """A value as a message shows it: on one line, and not all of a long one.

    Arrays are written on several lines; whole numbers of more than 4,300 digits Python doesn't
    write at all.
    """
    try:
        text = " ".join(repr(value).split())
    except ValueError:
        return f"a {type(value).__name__} that is too long to be shown"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


class QVLMError(Exception):
    """Base class of the errors that say what arrived, what is accepted and what to do."""

    def __reduce__(self) -> tuple[Any, ...]:
        """By the message: it can't be composed again of what is kept."""
        return type(self).__new__, (type(self), *self.args), self.__dict__


class InputError(QVLMError, ValueError):
    """A path, number, option or image that can't be used."""


class UnknownNameError(InputError):
    """A name that is not in the list of known names."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        """Compose the message.

        Args:
            kind: What the name was meant to name, in the singular ("backend").
            name: What arrived.
            known: The accepted names.
            hint: A sentence added behind the list.
        """
        names = list(known)
        near = difflib.get_close_matches(name, names, n=1) if isinstance(name, str) else []
        message = f"unknown {kind} {arrived(name)}"
        if near:
            message += f": did you mean {near[0]!r}?"
        shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
        message += f" (known: {shown})" if names else ""
        super().__init__(f"{message}. {hint}" if hint else message)
        self.kind, self.name, self.known = kind, name, names


class RunFolderError(InputError):
    """A run folder that is missing, incomplete or of another version."""


class CircuitError(QVLMError, ValueError):
    """A circuit, parameter or observable that can't be run exactly."""


class BackendError(QVLMError, RuntimeError):
    """A backend that can't be opened or can't do what was asked."""


class CapacityError(BackendError):
    """More qubits, shots or memory than the backend has."""


class CredentialsError(BackendError):
    """No usable IBM Quantum account."""


class MitigationError(BackendError):
    """A mitigation that is unknown or not possible on this backend."""


class NoiseModelError(QVLMError, ValueError):
    """A noise description that is not physical or not readable."""


class LedgerError(QVLMError, RuntimeError):
    """A stored job or result that is damaged or of another version."""


class JobError(QVLMError, RuntimeError):
    """A job that can't be submitted, followed or read."""


class JobPending(JobError):  # noqa: N818  (a state that ends a forward pass, not a mistake)
    """Results are not there yet; the same call made later goes on from there.

    Attributes:
        submissions: Ids of the submissions that are waited for.
    """

    def __init__(self, message: str, submissions: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.submissions = tuple(submissions)


class JobFailedError(JobError):
    """A job ended without results, or was refused; nothing is submitted again by itself.

    Attributes:
        submissions: Ids of the submissions that ended so.
    """

    def __init__(self, message: str, submissions: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.submissions = tuple(submissions)


class BudgetError(JobError):
    """A job would exceed the allowance, a documented limit or the user's budget: not submitted."""


class ProcessLostError(QVLMError, RuntimeError):
    """One of several processes that train as one has ended, and the training with it."""


class MissingDependencyError(QVLMError, ImportError):
    """An optional package that is not installed.

    Attributes:
        package: Its name, as pip installs it.
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        """Compose the message from the package, the extra that brings it, and its purpose."""
        self.package = package
        todo = f"install it with pip install 'qvlm-qiskit[{extra}]'"
        if sys.version_info >= BEFORE.get(package, (4,)):
            have, most = (".".join(map(str, v)) for v in (sys.version_info[:2], BEFORE[package]))
            todo = f"this is Python {have}, for which there is no {package}: use one before {most}"
        super().__init__(f"{purpose} needs {package}: {todo}")


BEFORE = {"mitiq": (3, 13)}
"""Package → the first Python that it declares not to support; its extra is empty there."""


class FallbackWarning(UserWarning):
    """What was asked for "if possible" was not possible; says what is done instead, and why."""
