r"""A quantum convolutional network on two small machines, by cutting a wire (arXiv:2501.06225).

Features become H and RY on n qubits; a kernel of two qubits goes down the line of them, as a
matrix-product state is made, and ⟨Z⟩ of all qubits are the values. The wire of the middle qubit is
cut between two kernels: two fragments, of n//2 + 1 and n - n//2 qubits, are run, and the values are
those of the whole circuit. A sample takes a row on the first and four on the other, and up to 16
times the shots for the same error.

What of the source is not copied: its accuracies are those of MobileNetV2's features with this
behind them; and cutting saves qubits, not work, which the rows here show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor

from qvlm_qiskit.blocks.cores.angles import BoundedAngles
from qvlm_qiskit.blocks.zoo.block import zoo_block
from qvlm_qiskit.blocks.zoo.core import Core, CoreConfig, Limits, SizedCore, Sizes
from qvlm_qiskit.blocks.zoo.twins import MatchedNetwork
from qvlm_qiskit.quantum import cut_layer, make_qnn
from qvlm_qiskit.quantum.encoding import Angle, widened

KERNEL = 6
"""Angles of a kernel."""


@dataclass(frozen=True)
class DistributedQCNNConfig(CoreConfig):
    """Sizes of the circuit.

    Attributes:
        qubits: n.
    """

    qubits: int = 8

    limits: ClassVar[Limits] = {"qubits": (3, 48)}

    @property
    def sizes(self) -> Sizes:
        """As many values as features; a row on one fragment and four on the other."""
        return Sizes((self.qubits,), (self.qubits,), KERNEL * (self.qubits - 1), rows=5)


@zoo_block("distributed-qcnn")
class DistributedQCNN(Core):
    """Features ``(…, n)`` → ⟨Z⟩ ``(…, n)``."""

    config_class = DistributedQCNNConfig

    def __init__(self, config: DistributedQCNNConfig) -> None:
        """Build the circuit and cut it."""
        super().__init__(config)
        self.angles = BoundedAngles()
        self.layer = cut_layer(*network_and_cuts(config.qubits))

    @classmethod
    def twin(cls, config: Any) -> SizedCore:
        """A tanh network of as many numbers."""
        return MatchedNetwork(config, "tanh")

    def values(self, samples: Tensor) -> Tensor:
        """⟨Z⟩ of all qubits."""
        read: Tensor = self.layer(self.angles(widened(samples)))
        return read.to(samples.dtype)


def network_and_cuts(n: int) -> tuple[EstimatorQNN, list[tuple[int, int]]]:
    """The whole circuit's network, and where its wire is cut."""
    features, weights = list(ParameterVector("x", n)), list(ParameterVector("w", KERNEL * (n - 1)))
    circuit, cuts = QuantumCircuit(n), []
    for qubit, feature in enumerate(features):
        circuit.h(qubit)
        circuit.ry(feature, qubit)
    for first in range(n - 1):
        if first == n // 2:
            cuts.append((first, len(circuit.data)))
        _kernel(circuit, weights[KERNEL * first : KERNEL * (first + 1)], first)
    return make_qnn(circuit, features, weights), cuts


def _kernel(circuit: QuantumCircuit, weights: Sequence[Angle], first: int) -> None:
    second = first + 1
    circuit.ry(weights[0], first)
    circuit.ry(weights[1], second)
    circuit.cx(first, second)
    circuit.ry(weights[2], first)
    circuit.rz(weights[3], second)
    circuit.cx(second, first)
    circuit.ry(weights[4], first)
    circuit.rz(weights[5], second)
