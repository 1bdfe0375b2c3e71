"""A cache that forgets: what was made for a key is kept until enough other keys were asked."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from qvlm_qiskit.basics.computer.locks import new_lock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """Keeps the values of the keys that were asked last; for several threads.

    Unlike ``functools.lru_cache`` it belongs to an object, and its key is not all that a value is
    made from. A value is made once however many threads ask for it, while other keys wait.
    """

    def __init__(self, size: int) -> None:
        """Create an empty cache.

        Args:
            size: How many values are kept at most.
        """
        self.size = size
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._lock = new_lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """What was made for the key, or is made now; an error of `make` is nobody's value."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = make()
            self._kept.move_to_end(key)
            while len(self._kept) > self.size:
                self._kept.popitem(last=False)
            return self._kept[key]

    def __getstate__(self) -> dict[str, int]:
        """A copy starts empty: values may hold locks, functions and tensors of a device."""
        return {"size": self.size}

    def __setstate__(self, state: dict[str, int]) -> None:
        """Start empty."""
        self.__init__(state["size"])  # type: ignore[misc]

    def __len__(self) -> int:
        """How many values are kept."""
        return len(self._kept)

    def values(self) -> list[V]:
        """What is kept, the longest not asked for first."""
        return list(self._kept.values())

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
