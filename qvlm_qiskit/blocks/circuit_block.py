"""What most blocks share: a linear map, a circuit or its twin, a read-out, a gated residual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from qvlm_qiskit.blocks.block import Block
from qvlm_qiskit.blocks.core import build_core
from qvlm_qiskit.blocks.gate import ExpectationReadout, GatedResidual


@dataclass(frozen=True)
class CircuitConfig:
    """Sizes and variant of a block around one circuit.

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


class CircuitBlock(Block):
    """Linear(width → 2ⁿ), a core of `build_core`, Linear(n → width), gated residual.

    Attributes:
        positional: Whether every layer of the circuit starts with the positional gates of PAQM.
    """

    config_class = CircuitConfig
    angle_maps = ("reduce",)
    circuits = ("core",)
    positional: ClassVar[bool] = False

    def __init__(self, config: CircuitConfig, width: int) -> None:
        """Create the block.

        Args:
            config: Sizes and variant.
            width: Embedding width.
        """
        super().__init__(config, width)
        self.reduce = nn.Linear(width, 2**config.num_qubits)
        self.core = build_core(config.kind, config.num_qubits, config.num_layers, self.positional)
        self.expand = ExpectationReadout(config.num_qubits, width)
        self.gate = GatedResidual(config.gate, width, config.initial_gate)

    def mixed(self, embeddings: Tensor, angles: Tensor | None = None) -> Tensor:
        """γ·q + (1-γ)·norm(embeddings), see :class:`.GatedResidual`.

        Args:
            embeddings: ``(B, T, width)``.
            angles: Of the positional gates, ``(B|1, T, n)`` radians.

        Returns:
            ``(B, T, width)``.
        """
        expectations = self.core(self.reduce(embeddings), angles)  # (B, T, n)
        blended: Tensor = self.gate(self.expand(expectations), embeddings)
        return blended
