"""Modules whose parameters are never in half precision.

Angles, gates and routers are a few numbers whose rounding is seen: in bfloat16 an angle of more
than one radian is off by up to 0.004.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn


def at_least_single(move: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The same move, such as ``.to`` makes, without narrowing numbers to half precision."""

    def wide(tensor: Tensor) -> Tensor:
        moved = move(tensor)
        narrowed = moved.is_floating_point() and moved.dtype.itemsize < 4 <= tensor.dtype.itemsize
        return tensor.to(moved.device, torch.float32) if narrowed else moved

    return wide


class AtLeastSingle(nn.Module):
    """Keeps its parameters in single precision where ``.to`` or ``.half`` would narrow them."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Torch's way to every tensor of a module."""
        moved: Self = super()._apply(at_least_single(fn), recurse)  # type: ignore[no-untyped-call]
        return moved
