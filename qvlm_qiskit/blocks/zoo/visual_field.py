r"""Quantum visual fields (arXiv:2508.10900): a picture as a function of coordinates.

Coordinates become sines and cosines, a network of one hidden layer makes energies E of them, and
:math:`\sqrt{\mathrm{softmax}(-E)}` are the amplitudes of a state. Layers of RY and CX of all
pairs follow; ⟨Z⟩ of the first qubits are colours, (1 + ⟨Z⟩)/2.

What of the source is not copied: nearly all of its parameters are the network's, so that a fit says
little about the circuit; ``qvlm study field`` compares. The twin is a network of as many numbers in
all; the frozen version trains the energies alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor, nn

from qvlm_qiskit.blocks.zoo.block import zoo_block
from qvlm_qiskit.blocks.zoo.core import Core, CoreConfig, Limits, SizedCore, Sizes, WideLinear
from qvlm_qiskit.blocks.zoo.twins import MatchedNetwork
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum import AmplitudeEncoding, QuantumLayer, make_qnn, z_observables
from qvlm_qiskit.quantum.encoding import widened


@dataclass(frozen=True)
class VisualFieldConfig(CoreConfig):
    """Sizes of the field.

    Attributes:
        inputs: Coordinates, from -1 to 1.
        outputs: Colours; as many qubits are read.
        qubits: n.
        repetitions: Layers of the circuit.
        hidden: Width of the network.
        frequencies: Sines and cosines of π, 2π, 4π, … times each coordinate.
    """

    inputs: int = 2
    outputs: int = 3
    qubits: int = 6
    repetitions: int = 4
    hidden: int = 32
    frequencies: int = 4

    limits: ClassVar[Limits] = {
        "inputs": (1, 64), "outputs": (1, 12), "qubits": (1, 12), "repetitions": (1, 100),
        "hidden": (1, 4096), "frequencies": (1, 16),
    }  # fmt: skip

    def __post_init__(self) -> None:
        """Refuse what can't be built.

        Raises:
            InputError: A number out of range, or more colours than qubits.
        """
        super().__post_init__()
        if self.outputs > self.qubits:
            raise InputError(f"outputs={self.outputs} are more than qubits={self.qubits}")

    @property
    def waves(self) -> int:
        """Sines and cosines of all coordinates."""
        return 2 * self.frequencies * self.inputs

    @property
    def sizes(self) -> Sizes:
        """Coordinates → colours."""
        network = self.hidden * (self.waves + 1) + 2**self.qubits * (self.hidden + 1)
        parameters = network + self.qubits * self.repetitions
        return Sizes((self.inputs,), (self.outputs,), parameters, rows=1)


@zoo_block("visual-field")
class VisualField(Core):
    """Coordinates ``(…, inputs)`` → colours ``(…, outputs)`` from 0 to 1."""

    config_class = VisualFieldConfig

    def __init__(self, config: VisualFieldConfig) -> None:
        """Create the network and the circuit."""
        super().__init__(config)
        self.energies = nn.Sequential(
            WideLinear(config.waves, config.hidden),
            nn.SiLU(),
            WideLinear(config.hidden, 2**config.qubits),
        )
        self.layer = QuantumLayer(_network(config))

    @classmethod
    def twin(cls, config: Any) -> SizedCore:
        """A network of the same sines and cosines."""
        return PlainField(config)

    def values(self, samples: Tensor) -> Tensor:
        """Colours at coordinates."""
        energies = self.energies(waves_of(widened(samples), self.config.frequencies))
        amplitudes = torch.exp(torch.log_softmax(-energies, dim=-1) / 2)
        read: Tensor = (1 + self.layer.encode(amplitudes)) / 2
        return read.to(samples.dtype)


class PlainField(SizedCore):
    """The same sines and cosines through a network of as many numbers."""

    def __init__(self, config: VisualFieldConfig) -> None:
        """Create the network."""
        super().__init__(config)
        sizes = Sizes((config.waves,), (config.outputs,), config.sizes.parameters, rows=1)
        self.network = MatchedNetwork(config, "tanh", sizes)

    def values(self, samples: Tensor) -> Tensor:
        """Colours at coordinates."""
        made: Tensor = self.network(waves_of(samples, self.config.frequencies))
        return (1 + made) / 2


def waves_of(coordinates: Tensor, frequencies: int) -> Tensor:
    """Sines and cosines of π, 2π, 4π, …: ``(…, m)`` → ``(…, 2·frequencies·m)``."""
    steps = torch.arange(frequencies, dtype=coordinates.dtype, device=coordinates.device)
    multiples = coordinates[..., None] * (math.pi * 2.0**steps)
    return torch.cat([torch.sin(multiples), torch.cos(multiples)], dim=-1).flatten(-2)


def _network(config: VisualFieldConfig) -> EstimatorQNN:
    n = config.qubits
    angles = list(ParameterVector("a", 2**n - 1))
    weights = list(ParameterVector("w", n * config.repetitions))
    circuit = QuantumCircuit(n)
    circuit.append(AmplitudeEncoding(angles), range(n))
    for repetition in range(config.repetitions):
        for qubit in range(n):
            circuit.ry(weights[n * repetition + qubit], qubit)
        for distance in range(1, n):
            for qubit in range(n - distance):
                circuit.cx(qubit, qubit + distance)
    return make_qnn(circuit, angles, weights, z_observables(n)[: config.outputs])
