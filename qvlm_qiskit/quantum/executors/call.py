"""What one evaluation asks of an executor, beside its angles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class Call:
    """How states are computed.

    Attributes:
        dtype: Real dtype of the states' precision: float32 or float64.
        normalise: Whether the rows of initial states have any scale.
        keep: Whether states are kept for a way back, or computed again there.
    """

    dtype: torch.dtype
    normalise: bool = False
    keep: bool = True

    @property
    def numbers(self) -> np.dtype[Any]:
        """The same precision for numpy."""
        return np.dtype(np.float64 if self.dtype == torch.float64 else np.float32)
