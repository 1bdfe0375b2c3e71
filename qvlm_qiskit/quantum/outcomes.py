"""Outcomes by their number, and the way between Z strings and the probabilities of outcomes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def walsh(strings: Tensor) -> Tensor:
    """Σ_S (-1)^|S ∧ outcome| ⟨Z_S⟩ for every outcome; its own inverse up to the size.

    Args:
        strings: ``(…, 2**k)``; bit i of the index is the i-th qubit.
    """
    size, step = strings.shape[-1], 1
    while step < size:
        pairs = strings.reshape(*strings.shape[:-1], size // (2 * step), 2, step)
        upper, lower = pairs[..., 0, :], pairs[..., 1, :]
        strings = torch.stack((upper + lower, upper - lower), dim=-2).flatten(-3)
        step *= 2
    return strings


def spread_bits(places: Sequence[int]) -> npt.NDArray[np.int64]:
    """For every number of so many bits, the one that has its bit i at ``places[i]``."""
    index = np.arange(1 << len(places), dtype=np.int64)
    found = np.zeros_like(index)
    for bit, place in enumerate(places):
        found |= (index >> bit & 1) << place
    return found
