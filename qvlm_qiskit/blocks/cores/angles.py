r"""Features as angles of rotation gates, bounded so that an angle belongs to one feature."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from qvlm_qiskit.blocks.cores.part import CorePart
from qvlm_qiskit.blocks.cores.shape import CoreShape
from qvlm_qiskit.quantum.executors.one_thread import tanh


class BoundedAngles(nn.Module):
    r"""Angles :math:`\tfrac{\pi}{2}\tanh f`: features ``(…, m)`` → radians ``(…, m)``.

    Within ±π/2, one angle is one feature, and no feature can turn a qubit past the state where
    more of it means less.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Bound the features; infinite ones become NaN, which every circuit refuses."""
        # tanh alone would make an ordinary angle of them
        return math.pi / 2 * tanh(features) + 0.0 * features.detach()


class UploadedAngles(CorePart):
    r"""The bounded angles θ once for every layer, each as :math:`s_{l,i}\,\theta_i + o_{l,i}`.

    Scales s begin at 1 and offsets o at 0. They are computed here and not in the circuit, whose
    angles would be products of parameters, which no grid of equal rows fits.
    """

    def __init__(self, shape: CoreShape) -> None:
        """Create ``(layers, n)`` scales and offsets."""
        super().__init__()
        self.bounded = BoundedAngles()
        self.scale = nn.Parameter(torch.empty(shape.uploads, shape.num_qubits))
        self.offset = nn.Parameter(torch.empty(shape.uploads, shape.num_qubits))
        self.reset_parameters()

    def reset_parameters(self, init: Any = nn.init) -> None:
        """Load the angles as they are."""
        init.ones_(self.scale)
        init.zeros_(self.offset)

    def forward(self, features: Tensor) -> Tensor:
        """Features ``(…, n)`` → radians ``(…, layers·n)``, layer by layer."""
        angles = self.bounded(features)[..., None, :]
        scale, offset = self.scale.to(angles.dtype), self.offset.to(angles.dtype)
        uploaded: Tensor = scale * angles + offset
        return uploaded.flatten(-2)


def angles_of(shape: CoreShape) -> nn.Module:
    """The module that turns a core's features into angles, for the encodings by angles."""
    return UploadedAngles(shape) if shape.encoding == "re-upload" else BoundedAngles()
