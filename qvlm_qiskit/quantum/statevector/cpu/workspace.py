"""Scratch space for large states, kept from call to call.

What the system gives anew it first clears, page by page, and takes back when it is free: of one
sample of 18 qubits that was a fifth of the time (measured, docs/log.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
MOST_BYTES = 1 << 26
"""No more is kept between calls; what was used last stays longest."""
_free: list[Array] = []
_lock = Lock()


@contextmanager
def borrowed(count: int, like: Array) -> Iterator[Array]:
    """Arrays of the shape and precision of another, ``(count, *shape)``, of any contents."""
    array = _taken((count, *like.shape), like.dtype)
    try:
        yield array
    finally:
        _given_back(array)


def _taken(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    with _lock:
        for place, array in enumerate(_free):
            if array.shape == shape and array.dtype == dtype:
                return _free.pop(place)
    return np.empty(shape, dtype)


def _given_back(array: Array) -> None:
    with _lock:
        _free.append(array)
        while sum(kept.nbytes for kept in _free) > MOST_BYTES:
            del _free[0]
