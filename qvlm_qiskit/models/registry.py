"""Models by name: ``hybrid-vlm``, an entry point's name, or ``MODULE:CLASS``.

Options stand behind, as in ``my_module:MyModel(num_qubits=4)``. A module is looked for among what
Python finds, and last in the current folder. Another distribution's model is found by its entry
point of the group ``qvlm_qiskit.models``.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from torch import nn

from qvlm_qiskit.basics.placed_names import PlacedName
from qvlm_qiskit.basics.registry import PACKAGE, RegistryError
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.models.own_model import OwnModel
from qvlm_qiskit.models.protocol import AnsweringModel
from qvlm_qiskit.recipes import MODELS

_Model = TypeVar("_Model", bound=type[Any])

NEEDED = tuple(n for n in vars(AnsweringModel) if not n.startswith("_") and n != "name")
"""What the class of an `AnsweringModel` has; its name may be an instance's own."""


def register_model(name: str) -> Callable[[_Model], _Model]:
    """Class decorator that makes a model known by a name: that of its file or entry point."""

    def register(model: _Model) -> _Model:
        MODELS.enter(name, model)
        return model

    return register


def find_model(name: str) -> type[AnsweringModel]:
    """The class of a model.

    Args:
        name: As ``--model`` takes it; options are not looked at.

    Raises:
        UnknownNameError: An unknown name, or no such class in the module.
        InputError: The module is not found.
        RegistryError: It can't be imported, or the class is no model.
    """
    placed = PlacedName.read(name)
    if placed.place is None:
        found: Any = MODELS.load(placed.name)
    else:
        found = _class_in(_imported(placed.name), placed.place)
    _check(found, name.partition("(")[0])
    model: type[AnsweringModel] = found
    return model


def class_file(name: str) -> Path | None:
    """The file that holds the class of a model that a user has written; None for this package's.

    Args:
        name: As `find_model` takes it, whose errors it has.
    """
    found = find_model(name)
    ours = found.__module__.partition(".")[0] == PACKAGE
    return None if ours else Path(inspect.getfile(found))


def _imported(name: str) -> ModuleType:
    """A module by its name; the current folder is looked through last."""
    if not all(part.isidentifier() for part in name.split(".")):
        raise InputError(
            f"{name!r} is no name of a module: a model of yours is called MODULE:CLASS, without a "
            "path and without .py"
        )
    here, whole = str(Path.cwd()), name.partition(".")[0]
    importlib.invalidate_caches()
    if whole not in sys.modules and find_spec(whole) is None and here not in sys.path:
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if missing == name or name.startswith(f"{missing}."):
            raise InputError(
                f"no module {name!r} is installed, on PYTHONPATH or in the current folder {here}"
            ) from error
        raise RegistryError(f"{name} can't be imported: {error}") from error
    except Exception as error:  # a user's module may raise anything
        raise RegistryError(f"{name} can't be imported: {type(error).__name__}: {error}") from error


def _class_in(module: ModuleType, name: str) -> Any:
    """What a module calls so."""
    if not hasattr(module, name):
        known = [n for n, found in vars(module).items() if isinstance(found, type)
                 and found.__module__ == module.__name__]  # fmt: skip
        raise UnknownNameError(f"class of {module.__name__}", name, known)
    return getattr(module, name)


def _check(found: Any, name: str) -> None:
    """Refuse what is no model, with what it lacks.

    Raises:
        RegistryError: It is no class, or lacks methods.
    """
    if not isinstance(found, type):
        raise RegistryError(f"{name} is no class but a {type(found).__name__}")
    lacks = [one for one in NEEDED if not hasattr(found, one)]
    if issubclass(found, OwnModel):
        lacks += sorted(getattr(found, "__abstractmethods__", ()))
        if found.forward is nn.Module.forward:
            lacks.append("forward")
    if lacks:
        hint = " (derive it from qvlm_qiskit.models.OwnModel)"
        more = "" if issubclass(found, OwnModel) else hint
        raise RegistryError(f"{name} is no model: it lacks {', '.join(lacks)}{more}")
