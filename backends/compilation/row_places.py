"""Where rows run that may run on several tiles: how they are divided, and what is remembered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

Place = tuple[int, ...]
"""A tile's device qubits, in the order of the compiled circuit's."""


class Memory(Protocol):
    """Where a row runs."""

    def known(self, keys: Iterable[str]) -> dict[str, Place]:
        """The places of those rows that have one."""
        ...

    def keep(self, places: Mapping[str, Place]) -> dict[str, Place]:
        """Note the places of new rows, and return what holds from now on."""
        ...


class ProcessMemory:
    """Places of rows as long as this object lives."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}

    def known(self, keys: Iterable[str]) -> dict[str, Place]:
        """The places of those rows that have one."""
        return {key: self._places[key] for key in keys if key in self._places}

    def keep(self, places: Mapping[str, Place]) -> dict[str, Place]:
        """Note the places of new rows."""
        for key, place in places.items():
            self._places.setdefault(key, place)
        return self.known(places)


class Looking:
    """A memory that is looked at: what is noted here is forgotten with this object."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._own = ProcessMemory()

    def known(self, keys: Iterable[str]) -> dict[str, Place]:
        """The places of those rows that have one."""
        listed = list(keys)
        return {**self._own.known(listed), **self._memory.known(listed)}

    def keep(self, places: Mapping[str, Place]) -> dict[str, Place]:
        """Note the places of new rows, here alone."""
        return self._own.keep(places)


def divided(keys: Iterable[str], tiles: int) -> dict[str, int]:
    """Rows on tiles: no tile has more than ⌈rows/tiles⌉, and the best ones are used.

    Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, SODA 2018): a row goes
    to the tile that its digest names, or to the next one that has room. How many rows a tile has
    depends on their number alone, the better tiles have the odd ones; so what a number of rows will
    cost is known before the rows are, also where tiles differ in costs.

    Args:
        keys: Hexadecimal digests of different rows, in any order.
        tiles: Number of tiles.
    """
    ordered = sorted(keys)
    if not ordered:
        return {}
    used = -(-len(ordered) // -(-len(ordered) // tiles))
    least, odd = divmod(len(ordered), used)
    room = [least + (tile < odd) for tile in range(used)]
    found = {}
    for key in ordered:
        tile = int(key[:15], 16) % used
        while not room[tile]:
            tile = (tile + 1) % used
        room[tile] -= 1
        found[key] = tile
    return found
