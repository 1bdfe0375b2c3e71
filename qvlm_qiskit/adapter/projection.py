r"""From a picture's features to tokens of a language model, through a circuit.

After sriram7737's Quantum-VLM-Adapter, whose quantum projection is Linear(d → n) → RX of the
values → layers of RX and a ring of CX → ⟨Z⟩ → Linear(n → hidden). Ours differs where trying showed
why:

- rows are normalised and bounded by :math:`\tfrac{\pi}{2}\tanh` before they become angles.
  Unbounded angles hardly learn, nor do those bounded by π: RX(π) and RX(-π) are the same state;
- the default circuit is RY of the features and layers of RY, RZ, RX with the ring. In the source's
  every rotation is an X string behind the ring, and strings of X commute: layers add no depth;
- ⟨ZZ⟩ of every pair is read besides, so that a token has n(n+1)/2 numbers to be made of, not n;
- tokens have the deviation of the language model's own embeddings.
"""

from __future__ import annotations

from torch import Tensor, nn

from qvlm_qiskit.adapter.configuration import ProjectionConfig
from qvlm_qiskit.adapter.cores import CircuitCore, TwinCore
from qvlm_qiskit.blocks.block import Block
from qvlm_qiskit.blocks.circuit_block import NormalisedLinear
from qvlm_qiskit.blocks.gate import ExpectationReadout


class QuantumProjection(Block):
    """Features ``(B, d)`` → tokens ``(B, tokens, hidden)``; always in single precision inside."""

    place = "adapter"
    config_class = ProjectionConfig
    angle_maps = ("reduce",)
    circuits = ("core",)

    def __init__(self, config: ProjectionConfig, width: int, hidden: int, deviation: float) -> None:
        """Create the projection.

        Args:
            config: Sizes and variant; not of kind ``"linear"``, see :class:`LinearProjection`.
            width: Features of a picture.
            hidden: Width of the language model's embeddings.
            deviation: Their standard deviation.
        """
        super().__init__(config, width)
        self.hidden, self.deviation = hidden, deviation
        self.reduce: nn.Module = NormalisedLinear(config.keep or width, config.num_qubits)
        if config.keep is not None:  # one map, so that all of it is in double where rows are bought
            self.reduce = nn.Sequential(nn.Linear(width, config.keep), self.reduce)
        made = TwinCore(config) if config.kind == "classical" else CircuitCore(config)
        self.core = made
        self.expand = ExpectationReadout(config.outputs, config.tokens * hidden)

    def forward(self, features: Tensor) -> Tensor:
        """Tokens of pictures, of the embeddings' deviation.

        Args:
            features: ``(B, d)``, of any float dtype.

        Returns:
            ``(B, tokens, hidden)`` in single precision.
        """
        read = self.core(self.reduce(features.float()))
        made: Tensor = self.deviation * self.expand(read.float())
        return made.reshape(*made.shape[:-1], self.config.tokens, self.hidden)


class LinearProjection(nn.Module):
    """The source's classical model: Linear(d → 512), Linear(512 → hidden), nothing between."""

    def __init__(self, config: ProjectionConfig, width: int, hidden: int, deviation: float) -> None:
        """Create both maps; see :class:`QuantumProjection` for the arguments."""
        super().__init__()
        self.config, self.hidden, self.deviation = config, hidden, deviation
        self.projector = nn.Linear(width, config.width)
        self.gate = nn.Linear(config.width, config.tokens * hidden)

    def forward(self, features: Tensor) -> Tensor:
        """Features ``(B, d)`` → tokens ``(B, tokens, hidden)`` in single precision."""
        made: Tensor = self.deviation * self.gate(self.projector(features.float()))
        return made.reshape(*made.shape[:-1], self.config.tokens, self.hidden)


def build_projection(
    config: ProjectionConfig, width: int, hidden: int, deviation: float
) -> QuantumProjection | LinearProjection:
    """The projection of a configuration; see :class:`QuantumProjection` for the arguments."""
    if config.kind == "linear":
        return LinearProjection(config, width, hidden, deviation)
    built = QuantumProjection(config, width, hidden, deviation)
    built.freeze()
    return built
