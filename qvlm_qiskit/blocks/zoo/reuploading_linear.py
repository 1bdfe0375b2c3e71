r"""A linear layer replaced by data re-uploading (Wang et al., arXiv:2409.17583).

Features, padded to a square matrix of :math:`2^n` rows and made symmetric, are a Hamiltonian H. It
acts on :math:`|+⟩^{⊗n}` again and again, :math:`e^{iH/r}`, each time before a trained unitary
:math:`\exp(i Σ_P θ_P P)` over all strings. The first outcomes' probabilities, each with an offset,
are the values.

What of the source is not copied: it reads the first ten of all :math:`2^n` probabilities; here as
few qubits are read as the values need. Making the matrix symmetric forgets half of the features.
The values lie in [0, 1] before the offsets, which is not what a linear layer's do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit.quantum_info import pauli_basis
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor, nn

from qvlm_qiskit.blocks.zoo.block import zoo_block
from qvlm_qiskit.blocks.zoo.core import Core, CoreConfig, Limits, Published, SizedCore, Sizes
from qvlm_qiskit.blocks.zoo.hamiltonian_embedding import entries_of
from qvlm_qiskit.blocks.zoo.twins import MatchedNetwork
from qvlm_qiskit.quantum import HamiltonianEvolution, QuantumLayer, make_qnn
from qvlm_qiskit.quantum.encoding import widened


@dataclass(frozen=True)
class ReuploadingLinearConfig(CoreConfig):
    """Sizes of the layer.

    Attributes:
        inputs: Features, at most 4⁷.
        outputs: Values.
        repetitions: r; the source has 1 or 10.
    """

    inputs: int = 16
    outputs: int = 4
    repetitions: int = 2

    limits: ClassVar[Limits] = {
        "inputs": (1, 4**7), "outputs": (1, 2**7), "repetitions": (1, 100)
    }  # fmt: skip

    @property
    def qubits(self) -> int:
        """As few as hold all features and values."""
        return max(1, -(-(self.inputs - 1).bit_length() // 2), (self.outputs - 1).bit_length())

    @property
    def sizes(self) -> Sizes:
        """Features → values."""
        parameters = self.repetitions * (4**self.qubits - 1) + self.outputs
        return Sizes((self.inputs,), (self.outputs,), parameters, rows=1)


@zoo_block("reuploading-linear")
class ReuploadingLinear(Core):
    """Features ``(…, inputs)`` → probabilities with offsets ``(…, outputs)``."""

    config_class = ReuploadingLinearConfig
    published = (
        Published(
            figure="94.54 %",
            what="test accuracy on MNIST with this as the last layer; 92.07 % without circuits",
            source="arXiv:2409.17583, tables of the authors' code for equinox",
            comparable=False,
            why="other data, whole images, two flipped quanvolutions before it",
        ),
    )

    def __init__(self, config: ReuploadingLinearConfig) -> None:
        """Build the circuit."""
        super().__init__(config)
        self.layer = QuantumLayer(_network(config))
        self.bias = nn.Parameter(torch.zeros(config.outputs))

    @classmethod
    def twin(cls, config: Any) -> SizedCore:
        """A network of as many numbers."""
        return MatchedNetwork(config)

    def reset_parameters(self, init: Any = nn.init) -> None:
        """Offsets start at zero."""
        init.zeros_(self.bias)

    def values(self, samples: Tensor) -> Tensor:
        """Probabilities and offsets."""
        side = 2**self.config.qubits
        padded = F.pad(widened(samples), (0, side**2 - samples.shape[-1]))
        entries = entries_of(padded.reshape(*samples.shape[:-1], side, side))
        read: Tensor = self.layer(entries)[..., : self.config.outputs] + self.bias
        return read.to(samples.dtype)


def _network(config: ReuploadingLinearConfig) -> EstimatorQNN:
    n = config.qubits
    strings = pauli_basis(n).to_labels()[1:]
    entries = list(ParameterVector("h", 2 ** (n - 1) * (2**n + 1)))
    weights = list(ParameterVector("w", config.repetitions * len(strings)))
    circuit = QuantumCircuit(n)
    circuit.h(range(n))
    for repetition in range(config.repetitions):
        own = weights[repetition * len(strings) : (repetition + 1) * len(strings)]
        circuit.append(HamiltonianEvolution(entries, -1 / config.repetitions), range(n))
        factors = dict(zip(strings, own, strict=True))
        circuit.append(HamiltonianEvolution(factors, -1.0), range(n))
    read = range(max(1, (config.outputs - 1).bit_length()))
    return make_qnn(circuit, entries, weights, read="probabilities", qubits=read)
