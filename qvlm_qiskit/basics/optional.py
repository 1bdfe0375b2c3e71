"""Optional packages: one that is not installed is told from one that is broken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from qvlm_qiskit.errors import MissingDependencyError


@contextmanager
def optional(extra: str, purpose: str, **packages: str) -> Iterator[None]:
    """Around imports of optional packages.

    An error of a package that is there, such as a library that it can't load or a package that it
    needs itself, is raised as it is: installing the extra again would not help.

    Args:
        extra: Of this package, which brings them.
        purpose: What needs them.
        packages: Module → name by which pip installs it.

    Raises:
        MissingDependencyError: One of them is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = packages.get((error.name or "").partition(".")[0])
        if package is None:
            raise
        raise MissingDependencyError(package, extra, purpose) from error
