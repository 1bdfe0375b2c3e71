"""Constant arrays as tensors: what lets a step run without copies between host and device."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from qvlm_qiskit.quantum.torch_support.transforms import constants


class DeviceConstants:
    """Constant arrays as tensors, made once per device and dtype."""

    def __init__(self) -> None:
        """Start empty."""
        self._tensors: dict[tuple[Hashable, torch.device, torch.dtype], Tensor] = {}

    def get(
        self,
        name: Hashable,
        make: Callable[[], npt.NDArray[Any]],
        device: torch.device,
        dtype: torch.dtype,
    ) -> Tensor:
        """The constant of that name; ``make`` is called when the device doesn't have it yet."""
        key = (name, device, dtype)
        if key not in self._tensors:
            with constants():
                made = torch.as_tensor(make()).to(device, dtype)
            if torch.compiler.is_exporting():
                return made  # it has no numbers, and nothing else can use it
            self._tensors[key] = made
        return self._tensors[key]
