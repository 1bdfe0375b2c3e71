"""What core parts with parameters of their own have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import nn

from qvlm_qiskit.quantum.single_precision import AtLeastSingle


class CorePart(AtLeastSingle, ABC):
    """A part of a core whose parameters are not a quantum layer's."""

    @abstractmethod
    def reset_parameters(self, init: Any = nn.init) -> None:
        """Draw new parameters.

        Args:
            init: ``torch.nn.init``, or transformers' module of the same functions, which leaves
                parameters alone that were loaded.
        """
