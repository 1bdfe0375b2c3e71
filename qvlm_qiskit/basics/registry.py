"""Things by name: each is a file of this package, or an entry point of another distribution.

Names are known without importing what they name, so that an unknown one is refused in a moment:
this package's own are the files of a folder (``learned_zne.py`` is "learned-zne"), the others are
entry points of a group. What is asked for by name is imported then, and enters itself by the
registry's decorator, or is the object that the entry point leads to.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from qvlm_qiskit.errors import InputError, QVLMError, UnknownNameError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

PACKAGE = "qvlm_qiskit"
ROOT = Path(__file__).parents[1]

Item = TypeVar("Item")


class RegistryError(QVLMError, RuntimeError):
    """What a name leads to can't be loaded, or is not what the name should lead to."""


def entry_points(group: str) -> Iterable[EntryPoint]:
    """The installed distributions' entry points of a group."""
    # Only here: a command's help names this package's own items in a tenth of a second.
    from importlib.metadata import entry_points as installed

    return installed(group=group)


@lru_cache
def entry_points_on(
    path: tuple[str, ...], group: str, find: Callable[..., Iterable[EntryPoint]]
) -> tuple[EntryPoint, ...]:
    """A group's entry points; looked for once, since it takes tens of milliseconds.

    Args:
        path: Where Python looks for distributions: another one has others.
        group: Whose.
        find: `entry_points`.
    """
    return tuple(find(group=group))


class Registry(Generic[Item]):
    """Items by name, found by file names and entry points, imported on demand.

    Args:
        kind: What the items are, in the singular ("block"), for messages.
        group: The entry-point group in which other distributions add theirs.
        folder: The folder of this package's own, below the package ("blocks"); each module in it
            holds the item of its name, and so does each subpackage.
        besides: Modules of the folder that hold no item.
        also: Folders below the package that hold more of them, under the same rules.
        first: Names with which lists begin, in this order; the others follow in theirs.
    """

    def __init__(
        self,
        kind: str,
        group: str,
        folder: str,
        *,
        besides: Collection[str] = (),
        also: Sequence[str] = (),
        first: Sequence[str] = (),
    ) -> None:
        self.kind = kind
        self.group = group
        self.folder = folder
        self.also = tuple(also)
        self.besides = frozenset(besides)
        self.first = tuple(first)
        self._items: dict[str, Item] = {}

    @cached_property
    def own(self) -> Mapping[str, str]:
        """Name → module of this package's own items, without importing them."""
        found = {}
        for folder in (self.folder, *self.also):
            for path in sorted((ROOT / folder).iterdir()):
                is_package = (path / "__init__.py").is_file()
                if (is_package or path.suffix == ".py") and path.stem[:1] != "_":
                    module = f"{PACKAGE}.{folder.replace('/', '.')}.{path.stem}"
                    if path.stem not in self.besides:
                        found[path.stem.replace("_", "-")] = module
        ordered = [name for name in self.first if name in found]
        return {name: found[name] for name in dict.fromkeys([*ordered, *found])}

    @property
    def foreign(self) -> Mapping[str, EntryPoint]:
        """Name → entry point of other distributions; this package's own names can't be taken."""
        points = entry_points_on(tuple(sys.path), self.group, entry_points)
        return {point.name: point for point in points if point.name not in self.own}

    def names(self) -> list[str]:
        """All names, this package's own first; nothing is imported."""
        entered = [name for name in self._items if name not in self.own]
        return list(dict.fromkeys([*self.own, *self.foreign, *entered]))

    def check(self, name: str) -> None:
        """Refuse an unknown name; nothing is imported.

        Raises:
            UnknownNameError: There is no such item; the message has the nearest.
        """
        known = (self.own, self._items, self.foreign)
        if not isinstance(name, str) or not any(name in names for names in known):
            raise UnknownNameError(self.kind, name, self.names())

    def enter(self, name: str, item: Item) -> Item:
        """Put an item under a name; what the decorators of the rooms do.

        Raises:
            InputError: Something else has the name.
        """
        if self._items.setdefault(name, item) is not item:
            raise InputError(f"the {self.kind} name {name!r} is taken already")
        return item

    def load(self, name: str) -> Item:
        """The item of a name, imported when it is first asked for.

        Raises:
            UnknownNameError: There is none.
            RegistryError: Its module can't be imported, or does not hold it.
        """
        self.check(name)
        if name not in self._items:
            if name in self.own:
                importlib.import_module(self.own[name])
            else:
                self._load_foreign(self.foreign[name])
        if name not in self._items:
            raise RegistryError(f"{self.own[name]} holds no {self.kind} {name!r}")
        return self._items[name]

    def _load_foreign(self, point: EntryPoint) -> None:
        try:
            item = point.load()
        except Exception as ex:
            # A foreign package may raise anything on import; whoever asked is told which one did.
            whose = f"{point.value}" + (f" of {point.dist.name}" if point.dist else "")
            raise RegistryError(
                f"the {self.kind} {point.name!r} ({whose}) can't be loaded: "
                f"{type(ex).__name__}: {ex}"
            ) from ex
        # Its decorator may have entered it already, under this or a name of its own.
        self._items.setdefault(point.name, item)
