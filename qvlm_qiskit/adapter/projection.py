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
from qvlm_qiskit.adapter.cores import FlatCore, build_core
from qvlm_qiskit.blocks.block import Block
from qvlm_qiskit.blocks.circuit_block import NormalisedLinear
from qvlm_qiskit.blocks.gate import ExpectationReadout
from qvlm_qiskit.errors import InputError


class ExpectationBlock(Block):
    """Features ``(…, width)`` → expectation values ``(…, outputs)``, in single precision."""

    place = "adapter"
    config_class = ProjectionConfig
    angle_maps = ("reduce",)
    circuits = ("core",)

    def __init__(self, config: ProjectionConfig, width: int) -> None:
        """Create the map to what the circuit takes, and the circuit or its twin.

        Args:
            config: Sizes and variant; not of kind ``"linear"``.
            width: Features of a picture.

        Raises:
            InputError: Features that are not as many as amplitudes.
        """
        super().__init__(config, width)
        self.reduce = _reduction(config, width)
        self.core = build_core(config)

    def circuit_parameters(self) -> list[Tensor]:
        """What belongs to its circuits."""
        if isinstance(self.core, FlatCore):
            return self.core.core.circuit_parameters()
        return super().circuit_parameters()

    def forward(self, features: Tensor) -> Tensor:
        """⟨Z⟩, and ⟨ZZ⟩ if they are read, or the twin's numbers.

        Args:
            features: ``(…, width)``, of any float dtype.

        Returns:
            ``(…, outputs)``.
        """
        read: Tensor = self.core(self.reduce(features.float()))
        return read.float()


def _reduction(config: ProjectionConfig, width: int) -> nn.Module:
    """One module, so that all of it is computed in double where rows are bought."""
    inner, n = config.keep or width, config.num_qubits
    if config.block is not None:
        sizes = config.core.sizes
        last: nn.Module = NormalisedLinear(inner, sizes.count(sizes.inputs))
    elif config.encoding == "angle":
        last = NormalisedLinear(inner, n)
    elif inner == 2**n:
        last = nn.Identity()
    else:
        raise InputError(
            f"{n} qubits have {2**n} amplitudes, and there are {inner} features: set keep={2**n} "
            f"for a linear map to as many, or another number of qubits"
        )
    return last if config.keep is None else nn.Sequential(nn.Linear(width, config.keep), last)


class QuantumProjection(ExpectationBlock):
    """Features ``(B, d)`` → tokens ``(B, tokens, hidden)``; always in single precision inside."""

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
        self.expand = ExpectationReadout(config.outputs, config.tokens * hidden)

    def forward(self, features: Tensor) -> Tensor:
        """Tokens of pictures, of the embeddings' deviation.

        Args:
            features: ``(B, d)``, of any float dtype.

        Returns:
            ``(B, tokens, hidden)`` in single precision.
        """
        made: Tensor = self.deviation * self.expand(super().forward(features))
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
