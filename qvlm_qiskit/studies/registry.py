"""The studies by name: a file or package of this folder, or an entry point elsewhere.

Names and their one-line descriptions are known without importing a study.
"""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from qvlm_qiskit.basics.registry import Registry, RegistryError

if TYPE_CHECKING:
    from qvlm_qiskit.studies.grid_study import Study

    StudyClass = TypeVar("StudyClass", bound=type[Study[Any, Any]])

STUDIES: Registry[type[Study[Any, Any]]] = Registry(
    "study",
    "qvlm_qiskit.studies",
    "studies",
    besides={
        "checks", "data_options", "demo", "grid_study", "intervals", "measure", "quick", "registry",
        "reports", "sectioned", "study_folder", "tables", "workers",
    },
)  # fmt: skip


def study(found: StudyClass) -> StudyClass:
    """Enter a study of this package under its name: a class decorator."""
    STUDIES.enter(found.name, found)
    return found


def find_study(name: str) -> type[Study[Any, Any]]:
    """The study of a name.

    Raises:
        UnknownNameError: There is none; the message has the nearest.
        RegistryError: It can't be imported, or is not a study of that name.
    """
    from qvlm_qiskit.studies.grid_study import Study

    found = STUDIES.load(name)
    if not (isinstance(found, type) and issubclass(found, Study)):
        raise RegistryError(f"the study {name!r} is no subclass of Study, but {found!r}")
    if found.name != name:
        raise RegistryError(f"the study {name!r} calls itself {found.name!r}")
    return found


def headline(name: str) -> str:
    """One line about a study, without importing it.

    A study of this package is described by the first line of its file, another one by the
    distribution that it comes from.
    """
    if name not in STUDIES.own:
        point = STUDIES.foreign.get(name)
        return f"A study of {point.dist.name if point and point.dist else 'another package'}."
    spec = find_spec(STUDIES.own[name])
    if spec is None or spec.origin is None:
        raise RegistryError(f"{STUDIES.own[name]} has no file")
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]
