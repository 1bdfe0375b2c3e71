"""QCNN vision embedding: every image patch through a small circuit.

After the Hybrid-QVLM README, which gives 12 qubits, amplitude encoding (4096 amplitudes), 2
variational layers and an image width of 768. Our reading where it is silent: per patch
Linear(width → 2ⁿ), the variational layer of PAQM without its positional gates, ⟨Z⟩ of all qubits,
Linear(n → width), gated residual. Other encodings, and QCNN pooling, are options
(docs/vision-block.md).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from qvlm_qiskit.blocks.circuit_block import CircuitBlock, CircuitConfig
from qvlm_qiskit.blocks.registry import register_block


@dataclass(frozen=True)
class QCNNConfig(CircuitConfig):
    """:class:`.CircuitConfig` with the source's 12 qubits."""

    num_qubits: int = 12


@register_block("qcnn")
class QCNN(CircuitBlock):
    """Patch embeddings ``(B, P, width)`` → embeddings of the same shape."""

    place = "vision"
    config_class = QCNNConfig

    def forward(self, patches: Tensor) -> Tensor:
        """γ·q + (1-γ)·norm(patches), ``(B, P, width)``; see :class:`.GatedResidual`."""
        return self.mixed(patches)
