r"""Attention over the regions of a picture, whose scores or values a circuit gives.

The source names the variant, "quantum attention", and no more; what follows is ours. A picture is P
regions of a tower's last layer, :math:`x_p`. T learned queries :math:`w_t`, one for each vision
token, attend to them:

.. math:: y_t = \sum_p \mathrm{softmax}_p(w_t \cdot k_p)\, v_p

- ``scores``: the keys :math:`k_p` are the expectation values of the circuit for the region, the
  values :math:`v_p` a linear map of it to as many numbers;
- ``values``: the values are the circuit's, the keys a linear map of the region to n numbers.

So queries are directions of what is read, and no part of the circuit: it runs once for each region,
however many queries there are, P rows for a picture. Tokens are a linear map of :math:`y_t`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from qvlm_qiskit.adapter.configuration import ProjectionConfig
from qvlm_qiskit.adapter.projection import ExpectationBlock
from qvlm_qiskit.blocks.circuit_block import NormalisedLinear
from qvlm_qiskit.blocks.gate import ExpectationReadout
from qvlm_qiskit.errors import InputError

LINEAR_STD = 1 / math.sqrt(3)
"""Of what torch's linear maps make of normalised rows at the start."""


class QuantumAttention(ExpectationBlock):
    """Regions ``(B, P, d)`` → tokens ``(B, tokens, hidden)``, in single precision.

    Attributes:
        beside: The linear map of what the circuit does not give: values or keys.
        queries: ``(tokens, keys)``.
    """

    def __init__(self, config: ProjectionConfig, width: int, hidden: int, deviation: float) -> None:
        """Create circuit, linear map, queries and read-out.

        Args:
            config: With ``attention``.
            width: Features of a region.
            hidden: Width of the language model's embeddings.
            deviation: Their standard deviation.
        """
        super().__init__(config, width)
        self.hidden, self.deviation = hidden, deviation
        self.expand = ExpectationReadout(config.outputs, hidden)
        scored = config.attention == "scores"
        keys = config.outputs if scored else config.num_qubits
        self.beside = NormalisedLinear(width, config.outputs if scored else keys)
        # scores of unit variance at the start, and tokens of the embeddings' deviation
        spread = 1 / (self.expand.initial_std * math.sqrt(config.outputs)) if scored else LINEAR_STD
        self.queries = nn.Parameter(torch.randn(config.tokens, keys) / (spread * math.sqrt(keys)))
        if scored:
            nn.init.normal_(self.expand.weight, std=1 / (LINEAR_STD * math.sqrt(config.outputs)))

    def forward(self, features: Tensor) -> Tensor:
        """Tokens of pictures.

        Args:
            features: ``(B, P, d)``, of any float dtype.

        Returns:
            ``(B, tokens, hidden)`` in single precision.

        Raises:
            InputError: Pictures that are not cut into regions.
        """
        if features.dim() != 3:
            raise InputError(
                f"attention takes regions of pictures, (pictures, regions, features), got "
                f"{tuple(features.shape)}"
            )
        read, beside = super().forward(features), self.beside(features.float())
        scored = self.config.attention == "scores"
        keys, values = (read, beside) if scored else (beside, read)
        made: Tensor = self.deviation * self.expand(self.weights(keys) @ values)
        return made

    def weights(self, keys: Tensor) -> Tensor:
        """How much each query takes of each region.

        Args:
            keys: ``(B, P, keys)``.

        Returns:
            ``(B, tokens, P)``; the sum over P is 1.
        """
        return torch.softmax(self.queries @ keys.mT, dim=-1)
