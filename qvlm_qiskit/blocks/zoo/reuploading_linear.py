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
from functools import cache
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit.quantum_info import pauli_basis
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor, nn
from torch.compiler import is_compiling

from qvlm_qiskit.blocks.zoo.block import zoo_block
from qvlm_qiskit.blocks.zoo.core import Core, CoreConfig, Limits, Published, SizedCore, Sizes
from qvlm_qiskit.blocks.zoo.hamiltonian_embedding import entries_of
from qvlm_qiskit.blocks.zoo.twins import MatchedNetwork
from qvlm_qiskit.quantum import HamiltonianEvolution, QuantumLayer, make_qnn
from qvlm_qiskit.quantum.encoding import widened
from qvlm_qiskit.quantum.layer_checks import require_finite
from qvlm_qiskit.quantum.statevector.tensors.evolutions import exponential_of

MOST_CLOSED = 5
"""Qubits whose strings are kept as matrices, 8 MB; more go by the engine, term by term."""


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
        matrices = padded.reshape(*samples.shape[:-1], side, side)
        if self.closed_form and self.config.qubits <= MOST_CLOSED and not is_compiling():
            chances = self._closed(matrices)
        else:
            chances = self.layer(entries_of(matrices))
        read: Tensor = chances[..., : self.config.outputs] + self.bias
        return read.to(samples.dtype)

    def _closed(self, matrices: Tensor) -> Tensor:
        """Probabilities ``(…, outcomes)`` by products of matrices ``(…, 2ⁿ, 2ⁿ)``."""
        n, repetitions = self.config.qubits, self.config.repetitions
        flat = matrices.reshape(-1, *matrices.shape[-2:])
        require_finite("inputs", flat)
        dtype = flat.dtype.to_complex()
        features = exponential_of((flat + flat.mT) / 2, dtype)
        weights = self.layer.weight.view(repetitions, -1).to(dtype)
        strings = torch.as_tensor(_strings(n), dtype=dtype, device=weights.device)
        unitaries = torch.matrix_exp((weights @ strings).view(repetitions, 2**n, 2**n))
        time = torch.full((1,), -1 / repetitions, dtype=torch.float64, device=flat.device)
        state = torch.full((len(flat), 1, 2**n), 2 ** (-n / 2), dtype=dtype, device=flat.device)
        for unitary in unitaries:
            state = features.applied(state, time) @ unitary.mT
        chances = state.real.square() + state.imag.square()
        outcomes = 2 ** _bits(self.config)
        read = chances.view(len(flat), 2**n // outcomes, outcomes).sum(1)
        return read.view(*matrices.shape[:-2], outcomes)


def _bits(config: ReuploadingLinearConfig) -> int:
    """How many qubits are read."""
    return max(1, (config.outputs - 1).bit_length())


@cache
def _strings(n: int) -> Any:
    """The strings of a unitary's angles, times the imaginary unit, ``(4ⁿ - 1, 4ⁿ)``."""
    return 1j * np.stack([string.to_matrix().ravel() for string in pauli_basis(n)[1:]])


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
    read = range(_bits(config))
    return make_qnn(circuit, entries, weights, read="probabilities", qubits=read)
