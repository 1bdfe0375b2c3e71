"""What core parts with parameters of their own have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from qvlm_qiskit.quantum.layer_checks import require_finite
from qvlm_qiskit.quantum.torch_support.single_precision import AtLeastSingle


def refuse_not_finite(what: str, values: Tensor) -> None:
    """Refuse NaN and infinity as a circuit does; what a compiled model is given is not looked at.

    Args:
        what: Their name, for the message.
        values: Of any float dtype.

    Raises:
        InputError: There are some.
    """
    if not torch.compiler.is_dynamo_compiling():
        require_finite(what, values, "a block")


class CorePart(AtLeastSingle, ABC):
    """A part of a core whose parameters are not a quantum layer's."""

    @abstractmethod
    def reset_parameters(self, init: Any = nn.init) -> None:
        """Draw new parameters.

        Args:
            init: ``torch.nn.init``, or transformers' module of the same functions, which leaves
                parameters alone that were loaded.
        """
