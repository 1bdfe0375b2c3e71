r"""A QAOA circuit as the latent space of an autoencoder (arXiv:2401.06367).

n features, H and RY on each qubit, then p times RZZ(γ) around a ring and RX(β) on every qubit: two
trained numbers a layer, whatever n is. ⟨Z⟩ of all qubits are the values. Encoder and decoder are
the surroundings': the paper's are convolutions.

What of the source is not copied: angles of the whole circle, whose ends are the same state; here
they are bounded by π/2, and the twin's values have the same range. The denoising error that it
reports has to be compared with that of the noisy pictures themselves, which a short training does
not beat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor, nn

from qvlm_qiskit.blocks.cores.angles import BoundedAngles
from qvlm_qiskit.blocks.zoo.block import zoo_block
from qvlm_qiskit.blocks.zoo.core import Core, CoreConfig, Limits, SizedCore, Sizes
from qvlm_qiskit.quantum import QuantumLayer, make_qnn
from qvlm_qiskit.quantum.encoding import widened


@dataclass(frozen=True)
class QAOALatentConfig(CoreConfig):
    """Sizes of the circuit.

    Attributes:
        qubits: n.
        repetitions: p.
    """

    qubits: int = 8
    repetitions: int = 3

    limits: ClassVar[Limits] = {"qubits": (2, 24), "repetitions": (1, 100)}

    @property
    def sizes(self) -> Sizes:
        """As many values as features."""
        return Sizes((self.qubits,), (self.qubits,), 2 * self.repetitions, rows=1)


@zoo_block("qaoa-latent")
class QAOALatent(Core):
    """Features ``(…, n)`` → ⟨Z⟩ ``(…, n)``."""

    config_class = QAOALatentConfig

    def __init__(self, config: QAOALatentConfig) -> None:
        """Build the circuit."""
        super().__init__(config)
        self.angles = BoundedAngles()
        self.layer = QuantumLayer(_network(config))

    @classmethod
    def twin(cls, config: Any) -> SizedCore:
        """A tanh network with two numbers a layer."""
        return RingNetwork(config)

    def values(self, samples: Tensor) -> Tensor:
        """⟨Z⟩ of all qubits."""
        read: Tensor = self.layer(self.angles(widened(samples)))
        return read.to(samples.dtype)


class RingNetwork(SizedCore):
    r"""Sines of the angles, then p times :math:`h_i ← \tanh(β h_i + γ (h_{i-1} + h_{i+1}))`.

    β begins about 1 and γ about 0: tanh shrinks what weights of both signs have shrunk already, so
    that a chain of them would begin as nearly nothing.
    """

    def __init__(self, config: QAOALatentConfig) -> None:
        """Create the numbers."""
        super().__init__(config)
        self.angles = BoundedAngles()
        self.own = nn.Parameter(torch.empty(config.repetitions))
        self.beside = nn.Parameter(torch.empty(config.repetitions))
        self.reset_parameters()

    def reset_parameters(self, init: Any = nn.init) -> None:
        """Draw weights of layers that are nearly the identity."""
        init.uniform_(self.own, 0.5, 1.5)
        init.uniform_(self.beside, -0.5, 0.5)

    def values(self, samples: Tensor) -> Tensor:
        """``(…, n)`` → ``(…, n)`` from -1 to 1."""
        hidden = torch.sin(self.angles(samples))
        for own, beside in torch.stack([self.own, self.beside], dim=-1).to(samples.dtype):
            neighbours = hidden.roll(1, dims=-1) + hidden.roll(-1, dims=-1)
            hidden = torch.tanh(own * hidden + beside * neighbours)
        return hidden


def _network(config: QAOALatentConfig) -> EstimatorQNN:
    n = config.qubits
    features = list(ParameterVector("x", n))
    weights = list(ParameterVector("w", 2 * config.repetitions))
    circuit = QuantumCircuit(n)
    for qubit, feature in enumerate(features):
        circuit.h(qubit)
        circuit.ry(feature, qubit)
    for gamma, beta in zip(weights[::2], weights[1::2], strict=True):
        for qubit in range(n if n > 2 else 1):
            circuit.rzz(gamma, qubit, (qubit + 1) % n)
        circuit.rx(beta, range(n))
    return make_qnn(circuit, features, weights)
