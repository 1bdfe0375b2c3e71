"""What most blocks share: a linear map, a circuit or its twin, a read-out, a gated residual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from qvlm_qiskit.basics.computer.memory import memory_bytes
from qvlm_qiskit.basics.numbers import use_plain_numbers
from qvlm_qiskit.blocks.block import Block
from qvlm_qiskit.blocks.core import build_core
from qvlm_qiskit.blocks.cores.shape import CoreShape
from qvlm_qiskit.blocks.gate import ExpectationReadout, GatedResidual, normalised
from qvlm_qiskit.errors import InputError


@dataclass(frozen=True)
class CircuitConfig:
    """Sizes and variant of a block around one circuit.

    Attributes:
        num_qubits: n.
        num_layers: Variational layers.
        kind: ``"quantum"``, ``"classical"`` (the twin) or ``"frozen"``.
        gate: ``"scalar"`` or ``"channel"``.
        initial_gate: γ before training.
        encoding: How the embedding enters the circuit: ``"amplitude"``, ``"angle"``,
            ``"re-upload"`` or ``"mps"``; see :mod:`~qvlm_qiskit.blocks.cores.shape`.
        bond: Bond dimension of ``"mps"``, a power of two up to :math:`2^{⌊n/2⌋}`.
        pooling: Steps of QCNN pooling behind the layers, each of which leaves half of the qubits.
    """

    num_qubits: int = 6
    num_layers: int = 2
    kind: str = "quantum"
    gate: str = "scalar"
    initial_gate: float = 0.5
    encoding: str = "amplitude"
    bond: int = 2
    pooling: int = 0

    def __post_init__(self) -> None:
        """Refuse what no circuit has.

        Raises:
            UnknownNameError: Another encoding.
            InputError: A number out of range.
        """
        use_plain_numbers(self)
        self.shape()

    def shape(self, positional: bool = False) -> CoreShape:
        """The numbers of features, angles, weights and values that follow.

        Args:
            positional: As in :func:`.build_core`.
        """
        return CoreShape(
            self.num_qubits, self.num_layers, positional, self.encoding, self.bond, self.pooling
        )


class NormalisedLinear(nn.Linear):
    """A linear map of rows that are brought to zero mean and unit variance before.

    What it returns is of order one whatever size the embeddings have grown to, so that tanh keeps
    a slope and angles can learn.
    """

    def forward(self, values: Tensor) -> Tensor:
        """``(…, in)`` → ``(…, out)``."""
        return super().forward(normalised(values))


class CircuitBlock(Block):
    """A linear map to features, a core of `build_core`, Linear(outputs → width), gated residual.

    The map is Linear(width → 2ⁿ) for amplitudes, whose direction alone is encoded, and a
    :class:`NormalisedLinear` to the encodings by angles.

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

        Raises:
            InputError: More amplitudes than this computer could make from so wide an embedding.
        """
        super().__init__(config, width)
        shape = config.shape(self.positional)
        _check_memory(shape, width)
        linear = nn.Linear if config.encoding == "amplitude" else NormalisedLinear
        self.reduce = linear(width, shape.features)
        self.core = build_core(
            config.kind,
            config.num_qubits,
            config.num_layers,
            self.positional,
            encoding=config.encoding,
            bond=config.bond,
            pooling=config.pooling,
        )
        self.expand = ExpectationReadout(shape.outputs, width)
        self.gate = GatedResidual(config.gate, width, config.initial_gate)

    def mixed(self, embeddings: Tensor, angles: Tensor | None = None) -> Tensor:
        """γ·q + (1-γ)·norm(embeddings), see :class:`.GatedResidual`.

        Args:
            embeddings: ``(B, T, width)``.
            angles: Of the positional gates, ``(B|1, T, n)`` radians.

        Returns:
            ``(B, T, width)``.
        """
        expectations = self.core(self.reduce(embeddings), angles)  # (B, T, outputs)
        blended: Tensor = self.gate(self.expand(expectations), embeddings)
        return blended


def _check_memory(shape: CoreShape, width: int) -> None:
    """Refuse a linear map that is larger than this computer's memory.

    Raises:
        InputError: It is.
    """
    there = memory_bytes()
    if 4 * shape.features * (width + 1) > there:
        raise InputError(
            f"{shape.num_qubits} qubits have 2^{shape.num_qubits} amplitudes, and a linear map to "
            f"them from a width of {width} takes more than the {there / 2**30:,.0f} GiB here: use "
            "fewer qubits, or encoding=angle, re-upload or mps"
        )
