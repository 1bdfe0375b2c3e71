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
from torch import Tensor, nn

from qvlm_qiskit.blocks.core import build_core
from qvlm_qiskit.blocks.gate import GatedResidual, Readout
from qvlm_qiskit.blocks.registry import register_block


@dataclass(frozen=True)
class PAQMConfig:
    """Sizes and variant of a PAQM block.

    Attributes:
        num_qubits: n; the embedding is reduced to 2ⁿ amplitudes.
        num_layers: Variational layers.
        kind: ``"quantum"``, ``"classical"`` (the twin) or ``"frozen"``.
        gate: ``"scalar"`` or ``"channel"``.
        initial_gate: γ before training.
    """

    num_qubits: int = 6
    num_layers: int = 2
    kind: str = "quantum"
    gate: str = "scalar"
    initial_gate: float = 0.5


@register_block("paqm", PAQMConfig)
class PAQM(nn.Module):
    """Token embeddings ``(B, T, width)`` and positions → mixed embeddings of the same shape."""

    def __init__(self, config: PAQMConfig, width: int) -> None:
        """Create the block.

        Args:
            config: Sizes and variant.
            width: Embedding width.
        """
        super().__init__()
        self.config = config
        self.reduce = nn.Linear(width, 2**config.num_qubits)
        self.core = build_core(config.kind, config.num_qubits, config.num_layers, positional=True)
        self.expand = Readout(config.num_qubits, width)
        self.gate = GatedResidual(config.gate, width, config.initial_gate)

    def forward(self, embeddings: Tensor, position_ids: Tensor) -> Tensor:
        """Mix embeddings with their positions.

        Args:
            embeddings: ``(B, T, width)``.
            position_ids: ``(B, T)`` or ``(1, T)`` integers, as the decoder sees them.

        Returns:
            ``(B, T, width)``: γ·q + (1-γ)·norm(embeddings), see :class:`.GatedResidual`.
        """
        angles = position_angles(position_ids, self.config.num_qubits)  # (B|1, T, n)
        expectations = self.core(self.reduce(embeddings), angles)  # (B, T, n)
        mixed: Tensor = self.gate(self.expand(expectations), embeddings)
        return mixed


def position_angles(position_ids: Tensor, num_qubits: int) -> Tensor:
    """Fixed sinusoidal angles in radians: integers ``(…)`` → ``(…, n)`` float64."""
    qubit = torch.arange(num_qubits, device=position_ids.device)
    # in double precision, which other processors round to the same angle
    rate = torch.exp(-math.log(10000.0) * 2 * (qubit // 2).double() / num_qubits)
    phase = position_ids[..., None] * rate
    return math.pi * torch.where(qubit % 2 == 0, torch.sin(phase), torch.cos(phase))
