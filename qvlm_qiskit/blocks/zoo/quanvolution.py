r"""Quanvolution: a circuit of four qubits for every patch (Senokosov et al., arXiv:2304.09224).

Pixels from 0 to 1 become RY(πx), a trained circuit follows, and ⟨Z⟩ of its four qubits are four
channels of a map of half the side.

What of the source is not copied: its single kernel of a single channel is the same here, but the
circuit's own share of the accuracy is not left open: the twin sends each patch through a tanh
network of as many numbers.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor

from qvlm_qiskit.blocks.zoo.block import zoo_block
from qvlm_qiskit.blocks.zoo.core import Core, CoreConfig, Limits, SizedCore, Sizes
from qvlm_qiskit.blocks.zoo.twins import MatchedNetwork
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum import QuantumLayer, make_qnn, variational_layer
from qvlm_qiskit.quantum.encoding import widened

PIXELS = 4
"""Of a patch: as many qubits, and channels that come out."""


@dataclass(frozen=True)
class QuanvolutionConfig(CoreConfig):
    """Sizes of the layer.

    Attributes:
        side: Of the images, an even number of pixels; the source's is 14.
        repetitions: Trained layers.
    """

    side: int = 4
    repetitions: int = 1

    limits: ClassVar[Limits] = {"side": (2, 4096), "repetitions": (1, 100)}

    def __post_init__(self) -> None:
        """Refuse what can't be built.

        Raises:
            InputError: A number out of range, or an odd side.
        """
        super().__post_init__()
        if self.side % 2:
            raise InputError(f"patches of 2 × 2 pixels need an even side, got side={self.side}")

    @property
    def sizes(self) -> Sizes:
        """Images of one channel → four maps, a row for every patch."""
        half = self.side // 2
        parameters = 3 * PIXELS * self.repetitions
        return Sizes((1, self.side, self.side), (PIXELS, half, half), parameters, rows=half**2)


class Patches(SizedCore):
    """Every patch of 2 × 2 pixels by itself; what becomes of one, says a subclass."""

    @abstractmethod
    def of_patches(self, patches: Tensor) -> Tensor:
        """``(…, patches, 4)`` → the same shape."""

    def values(self, samples: Tensor) -> Tensor:
        """Maps of images."""
        half = self.config.side // 2
        lead = samples.shape[:-3]
        parts = samples.reshape(*lead, half, 2, half, 2).transpose(-3, -2)
        read = self.of_patches(parts.reshape(*lead, half**2, PIXELS))
        return read.mT.reshape(*lead, PIXELS, half, half)


@zoo_block("quanvolution")
class Quanvolution(Patches, Core):
    """Images ``(…, 1, s, s)`` of pixels from 0 to 1 → ⟨Z⟩ as maps ``(…, 4, s/2, s/2)``."""

    config_class = QuanvolutionConfig
    unit_inputs = True

    def __init__(self, config: QuanvolutionConfig) -> None:
        """Build the circuit of one patch."""
        super().__init__(config)
        self.layer = QuantumLayer(_network(config))

    @classmethod
    def twin(cls, config: Any) -> SizedCore:
        """A tanh network for each patch."""
        return PatchNetwork(config)

    def of_patches(self, patches: Tensor) -> Tensor:
        """⟨Z⟩ of the four qubits."""
        read: Tensor = self.layer(math.pi * widened(patches))
        return read.to(patches.dtype)


class PatchNetwork(Patches):
    """The twin of a quanvolution."""

    def __init__(self, config: QuanvolutionConfig) -> None:
        """Create the network of one patch."""
        super().__init__(config)
        of_one = Sizes((PIXELS,), (PIXELS,), config.sizes.parameters, rows=1)
        self.network = MatchedNetwork(config, "tanh", of_one)

    def of_patches(self, patches: Tensor) -> Tensor:
        """Four numbers from -1 to 1."""
        made: Tensor = self.network(patches)
        return made


def _network(config: QuanvolutionConfig) -> EstimatorQNN:
    pixels = list(ParameterVector("x", PIXELS))
    weights = list(ParameterVector("w", config.sizes.parameters))
    circuit = QuantumCircuit(PIXELS)
    for qubit, pixel in enumerate(pixels):
        circuit.ry(pixel, qubit)
    for repetition in range(config.repetitions):
        variational_layer(circuit, weights[3 * PIXELS * repetition :][: 3 * PIXELS])
    return make_qnn(circuit, pixels, weights)
