"""QCNN vision embedding: every image patch through a small circuit.

After the Hybrid-QVLM README, which gives 12 qubits, amplitude encoding (4096 amplitudes), 2
variational layers and an image width of 768. Our reading where it is silent: per patch
Linear(width → 2ⁿ), the variational layer of PAQM without its positional gates, ⟨Z⟩ of all qubits,
Linear(n → width), gated residual. QCNN pooling is not part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from qvlm_qiskit.blocks.core import build_core
from qvlm_qiskit.blocks.gate import GatedResidual, Readout
from qvlm_qiskit.blocks.registry import register_block


@dataclass(frozen=True)
class QCNNConfig:
    """Sizes and variant of a QCNN vision embedding.

    Attributes:
        num_qubits: n; the patch embedding is reduced to 2ⁿ amplitudes.
        num_layers: Variational layers.
        kind: ``"quantum"``, ``"classical"`` (the twin) or ``"frozen"``.
        gate: ``"scalar"`` or ``"channel"``.
        initial_gate: γ before training.
    """

    num_qubits: int = 12
    num_layers: int = 2
    kind: str = "quantum"
    gate: str = "scalar"
    initial_gate: float = 0.5


@register_block("qcnn", QCNNConfig)
class QCNN(nn.Module):
    """Patch embeddings ``(B, P, width)`` → embeddings of the same shape."""

    def __init__(self, config: QCNNConfig, width: int) -> None:
        """Create the block.

        Args:
            config: Sizes and variant.
            width: Patch embedding width.
        """
        super().__init__()
        self.config = config
        self.reduce = nn.Linear(width, 2**config.num_qubits)
        self.core = build_core(config.kind, config.num_qubits, config.num_layers, positional=False)
        self.expand = Readout(config.num_qubits, width)
        self.gate = GatedResidual(config.gate, width, config.initial_gate)

    def forward(self, patches: Tensor) -> Tensor:
        """γ·q + (1-γ)·norm(patches), ``(B, P, width)``; see :class:`.GatedResidual`."""
        expectations = self.core(self.reduce(patches))  # (B, P, n)
        embedded: Tensor = self.gate(self.expand(expectations), patches)
        return embedded
