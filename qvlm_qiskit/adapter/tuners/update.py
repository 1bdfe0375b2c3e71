"""What a tuner adds to one linear layer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from qvlm_qiskit.quantum.torch_support.single_precision import AtLeastSingle


class Update(AtLeastSingle, ABC):
    r"""The update of a layer :math:`y = W x + b`, which becomes :math:`W (x + s(x)) + b + u(x)`.

    Its numbers stay in single precision where a model is moved to half precision.

    Attributes:
        linear: Whether s and u are linear, so that there is a matrix to merge.
    """

    linear: ClassVar[bool] = True

    def shift(self, values: Tensor) -> Tensor | None:
        """s(x), ``(…, in)`` → ``(…, in)``; None for zero."""
        return None

    @abstractmethod
    def forward(self, values: Tensor) -> Tensor:
        """u(x), ``(…, in)`` → ``(…, out)``."""

    @abstractmethod
    def delta(self, weight: Tensor) -> Tensor:
        """ΔW for the layer's weight, both ``(out, in)``.

        Raises:
            InputError: The update is not linear.
        """

    def freeze(self) -> None:
        """Take parameters out of training that are never trained."""
        return None
