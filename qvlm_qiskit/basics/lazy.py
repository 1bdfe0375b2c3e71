"""Public names of a package that are imported on first use."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A package's ``__getattr__`` that imports a name's module when the name is first asked for.

    Names and options are checked, and wrong ones refused, before torch, Qiskit or transformers are
    loaded, which takes seconds.

    Args:
        package: The package's full name.
        homes: Each public name's module, relative to the package.

    Returns:
        A function of a name that gives its value, and raises `AttributeError` for other names.
    """

    def named(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return named
