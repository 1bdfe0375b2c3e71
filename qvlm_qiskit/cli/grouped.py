"""Options that belong together, as one object: a dataclass in a command's signature.

    @dataclass(frozen=True, kw_only=True)
    class Ledger:
        store: Annotated[str | None, typer.Option(help="A folder.")] = None
        blobs: Annotated[Path | None, typer.Option(help="Another.")] = None

    @grouped
    def show(identifier: Identifier, ledger: Ledger) -> None: ...

typer sees ``show(identifier, store, blobs)``; ``show`` gets a `Ledger`.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class Takes:
    """What a command takes of a group, written as ``Annotated[Group, Takes(…)]``.

    Attributes:
        only: The fields that it takes; empty for all. The others keep their defaults.
        without: Fields that it doesn't take.
        defaults: Other defaults, by field; ``...`` makes an option required.
    """

    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def names(self, group: type[Any]) -> list[str]:
        """The group's fields that the command takes.

        Raises:
            TypeError: A field that the group doesn't have.
        """
        known = [one.name for one in dataclasses.fields(group)]
        if unknown := {*self.only, *self.without, *self.defaults} - set(known):
            raise TypeError(f"{group.__name__} has no {', '.join(sorted(unknown))}")
        return [n for n in known if n not in self.without and (not self.only or n in self.only)]


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Decorator: the parameters whose types are dataclasses become the dataclasses' fields.

    Args:
        command: Its other parameters are annotated as typer wants them.

    Returns:
        The command as typer is to see it, with the options of each group side by side.

    Raises:
        TypeError: Two parameters of one name.
    """
    hints = get_type_hints(command, include_extras=True)
    shown: list[inspect.Parameter] = []
    groups: dict[str, tuple[type[Any], list[str]]] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        group, takes = _group(hints[name])
        if group is None:
            given = parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
            shown.append(given)
        else:
            groups[name] = (group, takes.names(group))
            shown += _parameters(group, takes)
    names = [parameter.name for parameter in shown]
    if len(set(names)) != len(names):
        raise TypeError(f"{command.__name__} has two options of one name among {names}")

    def called(**given: Any) -> None:
        objects = {
            name: group(**{each: given.pop(each) for each in taken})
            for name, (group, taken) in groups.items()
        }
        command(**given, **objects)

    called.__name__, called.__doc__, called.__module__ = (
        command.__name__, command.__doc__, command.__module__,
    )  # fmt: skip
    called.__annotations__ = {p.name: p.annotation for p in shown} | {"return": None}
    called.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    return called


def _group(hint: Any) -> tuple[type[Any] | None, Takes]:
    """The dataclass that a parameter stands for, if it is one, and what is taken of it."""
    first, *others = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if not (isinstance(first, type) and dataclasses.is_dataclass(first)):
        return None, Takes()
    return first, next((one for one in others if isinstance(one, Takes)), Takes())


def _parameters(group: type[Any], takes: Takes) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    defaults = {one.name: one.default for one in dataclasses.fields(group)}
    found = []
    for name in takes.names(group):
        default = takes.defaults.get(name, defaults[name])
        required = default is ... or default is dataclasses.MISSING
        found.append(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if required else default,
                annotation=hints[name],
            )
        )
    return found
