r"""The classical twin of a block's circuit: the same features, outputs and number of parameters.

[The twin is ours: the source names only a "classical" block.]
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from qvlm_qiskit.blocks.cores.angles import angles_of
from qvlm_qiskit.blocks.cores.part import CorePart, refuse_not_finite
from qvlm_qiskit.blocks.cores.shape import CoreShape
from qvlm_qiskit.quantum.encoding import unit_vectors, widened


class ClassicalCore(CorePart):
    r"""A small tanh network with the circuit's shape: read-out, neighbours on a ring, pairs.

    Features are first reduced, without parameters, to n numbers :math:`h_i`, one for each qubit:

    - amplitudes to what ⟨Z⟩ would read from them, :math:`\sum_k f_k^2 (-1)^{k_i}` of the unit
      vector;
    - angles to what ⟨X⟩ would read from a qubit that they turn, :math:`\sin\theta_i`, which ⟨Z⟩
      knows without its sign; where several act on one qubit, to the sum of their sines over the
      root of how many there are.

    Each layer is :math:`h_i ← \tanh(a_i h_i + b_i h_{i-1} + c_i)` and, with positions,
    :math:`+\, d_i \sin p_i` inside the tanh. Where the circuit loads its features before every
    layer, with scales and offsets, their sines are added to h there. Pooling is
    :class:`PooledTwin`.
    """

    def __init__(self, shape: CoreShape) -> None:
        """Create the twin of the circuit of a shape."""
        super().__init__()
        self.shape = shape
        n = shape.num_qubits
        self.weight = nn.Parameter(torch.empty(shape.num_layers, shape.layer_weights // n, n))
        self.reset_parameters()
        self.angles = None if shape.encoding == "amplitude" else angles_of(shape)
        self.pooled = PooledTwin(shape) if shape.pooling else None

    def reset_parameters(self, init: Any = nn.init) -> None:
        """Draw the layers' weights as a circuit's are."""
        init.uniform_(self.weight, -1.0, 1.0)

    def forward(self, features: Tensor, positions: Tensor | None = None) -> Tensor:
        """``(…, features)`` of any scale and angles ``(…, n)`` → ``(…, outputs)``.

        Raises:
            InputError: NaN or infinity, which the circuit refuses too.
        """
        refuse_not_finite("features", features)
        if positions is not None:
            refuse_not_finite("positions", positions)
        if self.angles is None:
            loaded = [z_of_amplitudes(features, self.shape.num_qubits)]
        else:
            loaded = _of_angles(self.angles(widened(features)).to(features.dtype), self.shape)
        hidden = torch.zeros_like(loaded[0])
        for index, layer in enumerate(self.weight.to(hidden.dtype)):
            if index < len(loaded):
                hidden = hidden + loaded[index]
            total = _ring(hidden, layer)
            if positions is not None:
                total = total + layer[3] * torch.sin(positions.to(total.dtype))
            hidden = torch.tanh(total)
        return hidden if self.pooled is None else self.pooled(hidden)


class PooledTwin(CorePart):
    r"""Pairs become one, :math:`h_i ← \tanh(u_i h_i + v_i h_{i+1})`, and rings stand between.

    An odd one at the end goes on as it is, as a qubit does.
    """

    def __init__(self, shape: CoreShape) -> None:
        """Create the twin of all pooling steps of a shape."""
        super().__init__()
        self.shape = shape
        self.weight = nn.Parameter(torch.empty(shape.pooling_weights))
        self.reset_parameters()

    def reset_parameters(self, init: Any = nn.init) -> None:
        """Draw weights as a circuit's are."""
        init.uniform_(self.weight, -1.0, 1.0)

    def forward(self, hidden: Tensor) -> Tensor:
        """``(…, n)`` → ``(…, outputs)``."""
        given, offset = self.weight.to(hidden.dtype), 0
        for step, width in enumerate(self.shape.widths[:-1]):
            if step:
                ring = given[offset : offset + 3 * width].view(3, width)
                hidden, offset = torch.tanh(_ring(hidden, ring)), offset + 3 * width
            pairs = width // 2
            own, other = given[offset : offset + 2 * pairs].view(2, pairs)
            offset += 2 * pairs
            kept = torch.tanh(own * hidden[..., : 2 * pairs : 2] + other * hidden[..., 1::2])
            hidden = torch.cat([kept, hidden[..., 2 * pairs :]], dim=-1)
        return hidden


def _ring(hidden: Tensor, layer: Tensor) -> Tensor:
    """Every number with the one before it: ``(…, n)`` and weights ``(≥ 3, n)`` → ``(…, n)``."""
    return layer[0] * hidden + layer[1] * hidden.roll(1, dims=-1) + layer[2]


def z_of_amplitudes(features: Tensor, n: int) -> Tensor:
    """What ⟨Z⟩ of every qubit would read: ``(…, 2**n)`` → ``(…, n)``."""
    weights = torch.square(unit_vectors(features))
    index = torch.arange(2**n, device=features.device)
    bits = index[:, None] >> torch.arange(n, device=features.device) & 1
    return weights @ (1 - 2 * bits).to(weights.dtype)


def _of_angles(angles: Tensor, shape: CoreShape) -> list[Tensor]:
    """The sines of a shape's angles, by qubit, ``(…, n)`` for every time that they are loaded."""
    sines = torch.sin(angles).reshape(*angles.shape[:-1], shape.uploads, -1)
    qubits = torch.tensor(shape.angle_qubits, device=sines.device)[: sines.shape[-1]]
    here = qubits[:, None] == torch.arange(shape.num_qubits, device=sines.device)
    shares = here / here.sum(0).sqrt()
    return list((sines @ shares.to(sines.dtype)).unbind(-2))
