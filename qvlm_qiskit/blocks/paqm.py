r"""PAQM: position-aware quantum mixing of token embeddings.

After the Hybrid-QVLM README. Per layer: a fixed sinusoidal RZ by position, a small learned RY bias,
RY → RZ → RX on every qubit, a CNOT chain with wrap-around; ⟨Z⟩ of all qubits. The source gives 6
qubits, 2 layers and a text width of 1024. Our reading where it is silent: Linear(width → 2ⁿ) and
Linear(n → width) around the circuit, γ = σ(a), a bias per layer and qubit, and the RZ angle
:math:`\pi\sin(p/10000^{2\lfloor i/2\rfloor/n})` (cosine for odd *i*).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from qvlm_qiskit.blocks.circuit_block import CircuitBlock, CircuitConfig
from qvlm_qiskit.blocks.registry import register_block


@dataclass(frozen=True)
class PAQMConfig(CircuitConfig):
    """:class:`.CircuitConfig` with the source's 6 qubits."""

    num_qubits: int = 6


@register_block("paqm")
class PAQM(CircuitBlock):
    """Token embeddings ``(B, T, width)`` and positions → mixed embeddings of the same shape."""

    place = "text"
    config_class = PAQMConfig
    positional = True

    def forward(self, embeddings: Tensor, position_ids: Tensor) -> Tensor:
        """Mix embeddings with their positions.

        Args:
            embeddings: ``(B, T, width)``.
            position_ids: ``(B, T)`` or ``(1, T)`` integers, as the decoder sees them.

        Returns:
            ``(B, T, width)``: γ·q + (1-γ)·norm(embeddings), see :class:`.GatedResidual`.
        """
        return self.mixed(embeddings, position_angles(position_ids, self.config.num_qubits))


def position_angles(position_ids: Tensor, num_qubits: int) -> Tensor:
    """Fixed sinusoidal angles in radians: integers ``(…)`` → ``(…, n)`` float64."""
    qubit = torch.arange(num_qubits, device=position_ids.device)
    # in double precision, which other processors round to the same angle
    rate = torch.exp(-math.log(10000.0) * 2 * (qubit // 2).double() / num_qubits)
    phase = position_ids[..., None] * rate
    return math.pi * torch.where(qubit % 2 == 0, torch.sin(phase), torch.cos(phase))
