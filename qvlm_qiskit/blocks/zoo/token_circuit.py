r"""Token circuits with a reader, QTN (Kundu et al., arXiv:2403.06890): stairs or a tree.

Every token is a box on qubits of its own, RY and RZ by its features, and CX between them if there
are two. A reader composes tokens two by two with a box whose angles are trained and the same
everywhere: as stairs, each result with the next token, like a recurrent network; or as a tree,
neighbours and then their results, with one box for each level, like a convolutional one. Of two the
second one's qubits go on, and the others are left. ⟨Z⟩ and ⟨X⟩ of the qubits that go on to the end
are the values, one row for the whole sequence.

The source looks angles up by the kind of token: an ``nn.Embedding`` before this core does that.
Its boxes are other ones; ours are layers of RY, RZ, RX and a ring of CX.

What of the source is not copied: it sets its 800 numbers beside the 8 million of a language model
that was pretrained on proteins, by which nothing is said about circuits. The twin here composes
tokens in the same order with tanh networks of as many numbers. Angles of tokens are bounded, as
they come from a model's features.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit.quantum_info import SparsePauliOp
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor, nn

from qvlm_qiskit.blocks.cores.angles import BoundedAngles
from qvlm_qiskit.blocks.zoo.block import zoo_block
from qvlm_qiskit.blocks.zoo.core import Core, CoreConfig, Limits, Published, SizedCore, Sizes
from qvlm_qiskit.blocks.zoo.twins import MatchedNetwork
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.quantum import QuantumLayer, make_qnn, variational_layer
from qvlm_qiskit.quantum.encoding import Angle, widened

READERS = ("stairs", "tree")
MOST_QUBITS = 20


@dataclass(frozen=True)
class TokenCircuitConfig(CoreConfig):
    """Sizes of the circuit.

    Attributes:
        tokens: Of a sequence; a power of two for a tree.
        qubits: Of a token.
        repetitions: Layers of a reader's box.
        reader: ``"stairs"`` or ``"tree"``.
    """

    tokens: int = 8
    qubits: int = 1
    repetitions: int = 2
    reader: str = "stairs"

    limits: ClassVar[Limits] = {"tokens": (2, 20), "qubits": (1, 2), "repetitions": (1, 100)}

    def __post_init__(self) -> None:
        """Refuse what can't be built.

        Raises:
            UnknownNameError: Another kind or reader.
            InputError: A number out of range, too many qubits, or a tree that can't be halved.
        """
        super().__post_init__()
        if self.reader not in READERS:
            raise UnknownNameError("reader", str(self.reader), READERS)
        if self.reader == "tree" and self.tokens & (self.tokens - 1):
            raise InputError(f"a tree needs a power of two of tokens, got tokens={self.tokens}")
        if self.tokens * self.qubits > MOST_QUBITS:
            raise InputError(
                f"tokens={self.tokens} of qubits={self.qubits} are more than {MOST_QUBITS} qubits"
            )

    @property
    def levels(self) -> int:
        """Boxes of the reader that have angles of their own."""
        return self.tokens.bit_length() - 1 if self.reader == "tree" else 1

    @property
    def box(self) -> int:
        """Angles of a reader's box."""
        return 6 * self.qubits * self.repetitions

    @property
    def sizes(self) -> Sizes:
        """A sequence → one token of values."""
        width = 2 * self.qubits
        return Sizes((self.tokens, width), (1, width), self.levels * self.box, rows=1)


@zoo_block("token-circuit")
class TokenCircuit(Core):
    """Tokens ``(…, T, 2·qubits)`` → ⟨Z⟩, ⟨X⟩ of each qubit that is read, ``(…, 1, 2·qubits)``."""

    config_class = TokenCircuitConfig
    published = (
        Published(
            figure="about 94 %",
            what="accuracy on sequences of proteins with about 800 parameters",
            source="arXiv:2403.06890",
            comparable=False,
            why="other data: sequences of amino acids, with embeddings that are trained too",
        ),
    )

    def __init__(self, config: TokenCircuitConfig) -> None:
        """Build the circuit."""
        super().__init__(config)
        self.angles = BoundedAngles()
        self.layer = QuantumLayer(_network(config))

    @classmethod
    def twin(cls, config: Any) -> SizedCore:
        """Tanh networks in the same order."""
        return TokenNetwork(config)

    def values(self, samples: Tensor) -> Tensor:
        """Expectation values behind the last box."""
        read: Tensor = self.layer(self.angles(widened(samples)).flatten(-2))
        return read[..., None, :].to(samples.dtype)


class TokenNetwork(SizedCore):
    """Composes the tanh of tokens two by two, by one network for each box of the reader."""

    def __init__(self, config: TokenCircuitConfig) -> None:
        """Create the networks."""
        super().__init__(config)
        width = 2 * config.qubits
        of_box = Sizes((2 * width,), (width,), config.box, rows=1)
        self.boxes = nn.ModuleList(
            MatchedNetwork(config, "tanh", of_box) for _ in range(config.levels)
        )

    def values(self, samples: Tensor) -> Tensor:
        """The last result."""
        found = list(torch.tanh(samples).unbind(-2))
        for level, one, other in compositions(self.config):
            found[other] = self.boxes[level](torch.cat([found[one], found[other]], dim=-1))
        return found[-1][..., None, :]


def compositions(config: TokenCircuitConfig) -> Iterator[tuple[int, int, int]]:
    """What is composed, in order: box, the token that is left, the one that goes on."""
    if config.reader == "stairs":
        yield from ((0, token, token + 1) for token in range(config.tokens - 1))
        return
    for level in range(config.levels):
        step = 2**level
        for other in range(2 * step - 1, config.tokens, 2 * step):
            yield level, other - step, other


def _network(config: TokenCircuitConfig) -> EstimatorQNN:
    n = config.tokens * config.qubits
    features = list(ParameterVector("x", 2 * n))
    weights = list(ParameterVector("w", config.sizes.parameters))
    circuit = QuantumCircuit(n)
    tokens = [range(first, first + config.qubits) for first in range(0, n, config.qubits)]
    for qubits in tokens:
        _token(circuit, features, qubits)
    for level, one, other in compositions(config):
        own = weights[config.box * level : config.box * (level + 1)]
        pair, each = [*tokens[one], *tokens[other]], 6 * config.qubits
        for first in range(0, len(own), each):
            variational_layer(circuit, own[first : first + each], pair)
    observables = [
        SparsePauliOp.from_sparse_list([(letter, [qubit], 1.0)], num_qubits=n)
        for qubit in tokens[-1]
        for letter in ("Z", "X")
    ]
    return make_qnn(circuit, features, weights, observables)


def _token(circuit: QuantumCircuit, features: Sequence[Angle], qubits: Sequence[int]) -> None:
    """A token's box; two features of every qubit."""
    for qubit in qubits:
        circuit.ry(features[2 * qubit], qubit)
        circuit.rz(features[2 * qubit + 1], qubit)
    for one, other in itertools.pairwise(qubits):
        circuit.cx(one, other)
