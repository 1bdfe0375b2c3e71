"""Batches in tiles of samples side by side, spread over threads: what compiled sweeps share."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Array = npt.NDArray[Any]


def padded(array: Array, rows: int) -> Array:
    """Rows of zeros behind the batch, so that the last tile is whole."""
    if len(array) == rows:
        return np.ascontiguousarray(array)
    out = np.zeros((rows, array.shape[1]), array.dtype)
    out[: len(array)] = array
    return out


def tiled(rows: Array, tiles: int, lanes: int) -> Array:
    """Rows ``(B, n)`` as (tiles, n, lanes), zeros behind the batch."""
    whole = padded(rows, tiles * lanes).reshape(tiles, lanes, rows.shape[1])
    return np.ascontiguousarray(whole.transpose(0, 2, 1))


def untiled(array: Array, batch: int) -> Array:
    """The other way: ``(batch, n)``, contiguous."""
    tiles, width, lanes = array.shape
    rows = array.transpose(0, 2, 1).reshape(tiles * lanes, width)
    return np.ascontiguousarray(rows[:batch])


def spread(work: Callable[[int, int], None], tiles: int, threads: int) -> None:
    """Call ``work(first, last)`` for all tiles, in so many threads; the kernels release the GIL."""
    threads = min(tiles, threads)
    if threads <= 1:
        work(0, tiles)
        return
    bounds = [tiles * t // threads for t in range(threads + 1)]
    others = [_pool(threads).submit(work, *pair) for pair in pairwise(bounds[1:])]
    work(0, bounds[1])
    for other in others:
        other.result()


@lru_cache(maxsize=8)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="qvlm")


def _in_forked_child() -> None:
    """Forget the parent's threads, ours and torch's: whoever waits for them waits for ever."""
    _pool.cache_clear()
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_in_forked_child)
