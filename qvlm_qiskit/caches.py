"""Tables of results that are expensive to make again, with a bound."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class LRU(Generic[Value]):
    """The results that were used last, by key.

    Where the arguments of a pure function are the key, `functools.lru_cache` does.

    Args:
        most: How many are kept.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept: OrderedDict[Hashable, Value] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The result of a key; one that is not kept is made, and the least used one forgotten."""
        if key not in self._kept:
            self._kept[key] = make()
        self._kept.move_to_end(key)
        value = self._kept[key]
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)
        return value

    def __len__(self) -> int:
        return len(self._kept)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
