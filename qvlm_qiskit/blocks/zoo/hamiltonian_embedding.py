r"""Hamiltonian embedding with re-uploading (Wang et al., arXiv:2407.14055).

A symmetric matrix of features is the Hamiltonian H of every evolution of :math:`|+⟩^{⊗n}`:
repetitions of :math:`e^{-i t_l H/2}` with a trained time, each before trainable unitaries of
neighbouring qubits, or one of all. The probabilities of outcomes are the values.

What of the published code is not copied: its second unitary of a pair is given the angles of the
first again, so that half of its 30 angles a repetition do nothing; here all of them act. It reads
four qubits of five for eight values, which do not add up to one; here as few qubits are read as
the values need. An image is made symmetric, which forgets half of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from qiskit.circuit import Parameter, ParameterVector, QuantumCircuit
from qiskit.quantum_info import pauli_basis
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor

from qvlm_qiskit.blocks.zoo.block import zoo_block
from qvlm_qiskit.blocks.zoo.core import Core, CoreConfig, Limits, Published, SizedCore, Sizes
from qvlm_qiskit.blocks.zoo.twins import MatchedNetwork
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.quantum import HamiltonianEvolution, QuantumLayer, make_qnn
from qvlm_qiskit.quantum.encoding import widened

UNITARIES = ("pairs", "whole")


@dataclass(frozen=True)
class HamiltonianEmbeddingConfig(CoreConfig):
    """Sizes of the embedding.

    Attributes:
        qubits: n; the Hamiltonian has :math:`2^{n-1}(2^n + 1)` entries on and above its diagonal.
        repetitions: How often it acts. The source has 15 on 3 qubits, 10 or 20 on 5.
        outputs: Probabilities that are read: those of the first outcomes.
        unitary: ``"pairs"``, a unitary of every two neighbours one after the other (the source's on
            3 qubits), or ``"whole"``, one of all qubits (on 5).
        steps: Of a product formula of the evolutions on machines, where they then have shift rules;
            None for exact ones.
    """

    qubits: int = 3
    repetitions: int = 4
    outputs: int = 8
    unitary: str = "pairs"
    steps: int | None = None

    limits: ClassVar[Limits] = {"qubits": (2, 7), "repetitions": (1, 1000), "outputs": (2, 128)}

    def __post_init__(self) -> None:
        """Refuse what can't be built.

        Raises:
            UnknownNameError: Another kind or unitary.
            InputError: A number out of range, or more outputs than outcomes.
        """
        super().__post_init__()
        if self.unitary not in UNITARIES:
            raise UnknownNameError("unitary", str(self.unitary), UNITARIES)
        if self.outputs > 2**self.qubits:
            raise InputError(
                f"{self.qubits} qubits have {2**self.qubits} outcomes, and outputs={self.outputs}"
            )

    @property
    def factors(self) -> int:
        """Angles of a repetition's unitaries."""
        whole = int(4**self.qubits - 1)
        return whole if self.unitary == "whole" else 15 * (self.qubits - 1)

    @property
    def sizes(self) -> Sizes:
        """The entries of the Hamiltonian → probabilities."""
        entries = 2 ** (self.qubits - 1) * (2**self.qubits + 1)
        parameters = self.repetitions * (1 + self.factors)
        return Sizes((entries,), (self.outputs,), parameters, rows=1)


@zoo_block("hamiltonian-embedding")
class HamiltonianEmbedding(Core):
    """Entries of a symmetric matrix ``(…, m)``, row by row → probabilities ``(…, outputs)``."""

    config_class = HamiltonianEmbeddingConfig
    published = (
        Published(
            figure="94.40 ± 2.76 %",
            what="test accuracy on scikit-learn's digits, mean and deviation of 20 runs",
            source="arXiv:2407.14055, tables of the authors' code",
            comparable=False,
            why=(
                "eight of the ten classes, the whole image as one Hamiltonian of 15 repetitions, "
                "probabilities as logits without a head"
            ),
        ),
    )

    def __init__(self, config: HamiltonianEmbeddingConfig) -> None:
        """Build the circuit."""
        super().__init__(config)
        self.layer = QuantumLayer(_network(config))

    @classmethod
    def twin(cls, config: Any) -> SizedCore:
        """A network whose outputs are probabilities too."""
        return MatchedNetwork(config, "softmax")

    def values(self, samples: Tensor) -> Tensor:
        """Probabilities of outcomes."""
        read: Tensor = self.layer(widened(samples))[..., : self.config.outputs]
        return read.to(samples.dtype)


def entries_of(images: Tensor) -> Tensor:
    """Square images ``(…, s, s)`` made symmetric, as entries ``(…, s(s + 1)/2)``."""
    rows, columns = torch.triu_indices(*images.shape[-2:], device=images.device)
    return ((images + images.mT) / 2)[..., rows, columns]


def _network(config: HamiltonianEmbeddingConfig) -> EstimatorQNN:
    n = config.qubits
    entries = list(ParameterVector("h", config.sizes.count(config.sizes.inputs)))
    times = list(ParameterVector("t", config.repetitions))
    factors = list(ParameterVector("w", config.repetitions * config.factors))
    circuit, given = QuantumCircuit(n), iter(factors)
    circuit.h(range(n))
    for time in times:
        evolution = HamiltonianEvolution(entries, time / 2, steps=config.steps)
        circuit.append(evolution, range(n))
        for qubits in _places(config):
            circuit.append(_unitary(given, len(qubits), config.steps), qubits)
    read = range((config.outputs - 1).bit_length())
    return make_qnn(circuit, entries, times + factors, read="probabilities", qubits=read)


def _places(config: HamiltonianEmbeddingConfig) -> list[list[int]]:
    if config.unitary == "whole":
        return [list(range(config.qubits))]
    return [[qubit, qubit + 1] for qubit in range(config.qubits - 1)]


def _unitary(given: Iterator[Parameter], qubits: int, steps: int | None) -> HamiltonianEvolution:
    r""":math:`\exp(i Σ_P θ_P P)` over all Pauli strings but the identity: any unitary."""
    labels = pauli_basis(qubits).to_labels()[1:]
    return HamiltonianEvolution({label: next(given) for label in labels}, -1.0, steps=steps)
