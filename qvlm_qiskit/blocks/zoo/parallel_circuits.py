r"""Small circuits side by side behind a convolutional network (Senokosov et al., arXiv:2304.09224).

Features are divided among K circuits of n qubits: H; layers of RY, RZ with trained angles, a ring
of CX, RX of the features. ⟨Z⟩ of all qubits are the values. No circuit knows of the others, so the
whole is K functions of n features.

What of the source is not copied: its 99 % on MNIST are those of a convolutional network with this
layer behind it, and no control says what the layer adds; the twin here has as many numbers. Its
angles are not bounded; here they are, since RX(π) and RX(-π) are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor

from qvlm_qiskit.blocks.cores.angles import BoundedAngles
from qvlm_qiskit.blocks.zoo.block import zoo_block
from qvlm_qiskit.blocks.zoo.core import Core, CoreConfig, Limits, Published, SizedCore, Sizes
from qvlm_qiskit.blocks.zoo.twins import MatchedNetwork
from qvlm_qiskit.quantum import QuantumLayer, make_qnn
from qvlm_qiskit.quantum.encoding import widened


@dataclass(frozen=True)
class ParallelCircuitsConfig(CoreConfig):
    """Sizes of the circuits.

    Attributes:
        circuits: K.
        qubits: n of each.
        repetitions: Layers, each of which loads the features.
    """

    circuits: int = 4
    qubits: int = 5
    repetitions: int = 3

    limits: ClassVar[Limits] = {
        "circuits": (1, 4096), "qubits": (1, 24), "repetitions": (1, 100)
    }  # fmt: skip

    @property
    def sizes(self) -> Sizes:
        """As many values as features."""
        width = self.circuits * self.qubits
        return Sizes((width,), (width,), 2 * width * self.repetitions, rows=self.circuits)


@zoo_block("parallel-circuits")
class ParallelCircuits(Core):
    """Features ``(…, K·n)``, those of one circuit side by side → ⟨Z⟩ ``(…, K·n)``."""

    config_class = ParallelCircuitsConfig
    published = (
        Published(
            figure="99.21 %",
            what="test accuracy on MNIST",
            source="arXiv:2304.09224",
            comparable=False,
            why="other data, and a trained convolutional network in front",
        ),
    )

    def __init__(self, config: ParallelCircuitsConfig) -> None:
        """Create the circuits, each with weights of its own."""
        super().__init__(config)
        self.angles = BoundedAngles()
        self.layer = QuantumLayer(_network(config), groups=config.circuits)

    @classmethod
    def twin(cls, config: Any) -> SizedCore:
        """A tanh network of as many numbers."""
        return MatchedNetwork(config, "tanh")

    def values(self, samples: Tensor) -> Tensor:
        """⟨Z⟩ of all qubits."""
        angles = self.angles(widened(samples))
        rows = angles.reshape(*samples.shape[:-1], self.config.circuits, self.config.qubits)
        read: Tensor = self.layer(rows)
        return read.flatten(-2).to(samples.dtype)


def _network(config: ParallelCircuitsConfig) -> EstimatorQNN:
    n = config.qubits
    features = list(ParameterVector("x", n))
    weights = list(ParameterVector("w", 2 * n * config.repetitions))
    given = iter(weights)
    circuit = QuantumCircuit(n)
    circuit.h(range(n))
    for _ in range(config.repetitions):
        for qubit in range(n):
            circuit.ry(next(given), qubit)
            circuit.rz(next(given), qubit)
        for qubit in range(n if n > 1 else 0):
            circuit.cx(qubit, (qubit + 1) % n)
        for qubit, feature in enumerate(features):
            circuit.rx(feature, qubit)
    return make_qnn(circuit, features, weights)
