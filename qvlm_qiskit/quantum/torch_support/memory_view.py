"""A tensor's memory as a NumPy array, with the tensor left as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor


def memory_view(tensor: Tensor) -> npt.NDArray[Any]:
    """The values of a tensor on the CPU, without gradient; no copy where they are contiguous.

    ``Tensor.numpy`` marks the storage as one that can't be resized, and FSDP frees the parameters
    that it gathered by resizing them to nothing.
    """
    return np.from_dlpack(tensor.detach().contiguous().resolve_neg())
