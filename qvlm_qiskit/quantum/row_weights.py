"""Weights that differ from row to row: one vector per sample, or per group of samples.

Weights ``(R, W)`` belong to rows ``(B, n)`` in turns: row i is run with weights i mod R, and B is a
multiple of R. So groups along the last axis of a batch need no copies of their weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qvlm_qiskit.quantum.layer_checks import LayerInputError, require_finite

Array = npt.NDArray[np.float64]


def check_groups(groups: Any, num_weights: int) -> None:
    """Refuse a number of groups that is none, and groups of a circuit without weights.

    Raises:
        InputError: One of the two.
    """
    if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
        raise LayerInputError(f"groups must be a positive integer, got {groups!r}")
    if num_weights == 0:
        raise LayerInputError("groups have weights of their own, and this network has no weights")


def initial_of_groups(initial: Array | Tensor | None, groups: int, num_weights: int) -> Tensor:
    """Initial weights ``(G, W)`` in single precision.

    Args:
        initial: ``(W,)`` for all groups or ``(G, W)``; None is uniform in [-1, 1].
        groups: G.
        num_weights: W.

    Raises:
        InputError: Of another shape.
    """
    if initial is None:
        return torch.empty(groups, num_weights).uniform_(-1, 1)
    given = torch.as_tensor(initial, dtype=torch.float32).detach()
    if given.shape not in ((num_weights,), (groups, num_weights)):
        raise LayerInputError(
            f"initial weights of {groups} groups are ({num_weights},) or "
            f"({groups}, {num_weights}), got {tuple(given.shape)}"
        )
    return given.expand(groups, num_weights).clone()


def rows_of(weight: Any, lead: Sequence[int], num_weights: int) -> Tensor:
    """Weights that were given for a batch as ``(W,)`` or ``(R, W)``.

    Args:
        weight: ``(W,)`` for all rows, or one vector for each: leading dimensions as those of the
            batch, or its last ones, or ones that broadcast against them.
        lead: The batch's leading dimensions.
        num_weights: W.

    Raises:
        InputError: No float tensor, or of another shape.
    """
    if not isinstance(weight, Tensor) or not weight.is_floating_point():
        kind = str(getattr(weight, "dtype", type(weight).__name__)).removeprefix("torch.")
        raise LayerInputError(f"weights of a quantum layer are a float tensor, got {kind}")
    *own, width = weight.shape or (None,)
    count = len(own)
    fits = width == num_weights and count <= len(lead)
    last = list(lead[len(lead) - count :])
    if not fits or any(a not in (1, b) for a, b in zip(own, last, strict=True)):
        raise LayerInputError(
            f"weights {tuple(weight.shape)} don't fit inputs with leading dimensions "
            f"{tuple(lead)}: expected (…, {num_weights}) with those or the last of them"
        )
    if count == 0:
        return weight
    if own == last:
        return weight.reshape(_product(own), num_weights)
    return weight.expand(*lead, num_weights).reshape(_product(lead), num_weights)


def require_finite_rows(weight: Tensor) -> None:
    """Refuse NaN and infinity in weights per row, as in inputs.

    Raises:
        InputError: There are some.
    """
    if weight.dim() == 2:
        require_finite("weights", weight)


def joined(rows: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Rows with their weights behind their inputs, and what is left for all rows: nothing.

    Weights ``(W,)`` are left as they are.

    Args:
        rows: ``(B, n)``.
        weight: ``(W,)`` or ``(R, W)``.
    """
    if weight.dim() == 1:
        return rows, weight
    size = rows.shape[0]  # of a program with dynamic shapes, len() is one number
    each, width = _turns(size, weight.shape[0]), weight.shape[1]
    copies = weight.expand(each, *weight.shape) if size else weight[None, :0]
    return torch.cat([rows, copies.reshape(size, width)], dim=-1), weight.new_zeros(0)


def joined_arrays(rows: Array, weight: Array) -> Array:
    """Whole sets of parameter values ``(B, n + W)``, of arrays as in :func:`joined`."""
    if weight.ndim == 1:
        return np.concatenate([rows, np.broadcast_to(weight, (len(rows), len(weight)))], axis=1)
    return np.concatenate([rows, np.tile(weight, (_turns(len(rows), len(weight)), 1))], axis=1)


def summed(slopes: Tensor, like: Tensor) -> Tensor:
    """What rows ``(B, W)`` add up to for the weights that they share, ``(R, W)`` as ``like``."""
    each = _turns(len(slopes), len(like))
    return slopes.reshape(each, *like.shape).sum(dim=0)


def _turns(rows: int, vectors: int) -> int:
    """How often the weights are used.

    Raises:
        InputError: Some more often than others.
    """
    if rows == 0:
        return 0
    if vectors == 0 or rows % vectors:
        raise LayerInputError(f"{vectors} vectors of weights don't fit {rows} rows")
    return rows // vectors


def _product(sizes: Sequence[int]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total
