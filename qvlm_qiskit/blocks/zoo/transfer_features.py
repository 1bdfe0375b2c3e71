r"""Quantum transfer learning with a fixed circuit (arXiv:2408.03351): few features → probabilities.

Features of an autoencoder, brought down to n, become RY(x) on n qubits, then H on each and a chain
of CX; the :math:`2^n` probabilities go to a classical network. There are no trained angles: it is a
fixed map of n numbers to :math:`2^n`.

What of the source is not copied: it compares the network on these probabilities (about 75 %) with
one on all 64 features of the autoencoder (about 98 %), which is no comparison of the circuit; the
twin here is another fixed map of the same n numbers, Gaussian bumps around random points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor

from qvlm_qiskit.blocks.zoo.block import zoo_block
from qvlm_qiskit.blocks.zoo.core import Core, CoreConfig, Limits, Published, SizedCore, Sizes
from qvlm_qiskit.quantum import QuantumLayer, make_qnn
from qvlm_qiskit.quantum.encoding import widened


@dataclass(frozen=True)
class TransferFeaturesConfig(CoreConfig):
    """Sizes of the map.

    Attributes:
        qubits: n.
    """

    qubits: int = 5

    limits: ClassVar[Limits] = {"qubits": (1, 12)}

    @property
    def sizes(self) -> Sizes:
        """N features → 2ⁿ probabilities, without a trained number."""
        return Sizes((self.qubits,), (2**self.qubits,), 0, rows=1)


@zoo_block("transfer-features")
class TransferFeatures(Core):
    """Features ``(…, n)`` in radians → probabilities ``(…, 2**n)``."""

    config_class = TransferFeaturesConfig
    published = (
        Published(
            figure="about 75 %",
            what="test accuracy on MNIST; about 98 % for the autoencoder's 64 features",
            source="arXiv:2408.03351",
            comparable=False,
            why="other data, and the two figures are of different inputs",
        ),
    )

    def __init__(self, config: TransferFeaturesConfig) -> None:
        """Build the circuit."""
        super().__init__(config)
        self.layer = QuantumLayer(_network(config))

    @classmethod
    def twin(cls, config: Any) -> SizedCore:
        """Gaussian bumps."""
        return GaussianFeatures(config)

    def values(self, samples: Tensor) -> Tensor:
        """Probabilities of all outcomes."""
        read: Tensor = self.layer(widened(samples))
        return read.to(samples.dtype)


class GaussianFeatures(SizedCore):
    """Shares of Gaussian bumps around 2ⁿ fixed random points, which add up to one."""

    points: Tensor

    def __init__(self, config: TransferFeaturesConfig) -> None:
        """Draw the points, which are stored with the weights."""
        super().__init__(config)
        n = config.qubits
        self.register_buffer("points", torch.randn(2**n, n))

    def values(self, samples: Tensor) -> Tensor:
        """Shares of all bumps."""
        distances = (samples[..., None, :] - self.points.to(samples.dtype)).square().sum(-1)
        return torch.softmax(-distances / 2, dim=-1)


def _network(config: TransferFeaturesConfig) -> EstimatorQNN:
    features = list(ParameterVector("x", config.qubits))
    circuit = QuantumCircuit(config.qubits)
    for qubit, feature in enumerate(features):
        circuit.ry(feature, qubit)
        circuit.h(qubit)
    for qubit in range(config.qubits - 1):
        circuit.cx(qubit, qubit + 1)
    return make_qnn(circuit, features, [], read="probabilities")
