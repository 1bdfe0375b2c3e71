r"""Quantum doubly stochastic attention (Born et al., arXiv:2504.16275): the softmax is a circuit.

The logits M of T tokens, times trained factors θ, are the angles of a unitary V on :math:`\log_2 T`
qubits and a ancillas. All of them are halves of Bell pairs, so that one circuit runs on all columns
at once; T times the probability of row i and partner j is

.. math:: P_{ij} = 2^{-a} \sum_{b,c} |\langle i, b|V|j, c\rangle|^2,

whose rows and columns add up to one. Without ancillas only unistochastic matrices are reached. V is
a reading of our own: RY, RY, RZ, CX, RX on one pair of qubits after the other, neighbours and then
ancillas with one of the others, until every logit was an angle, `repetitions` times.

A column that adds up to one looks at all tokens, later ones too: it can't stand behind a causal
mask, and it needs a power of two of tokens. Under shots it is the sum of all entries alone that is
exact.

What of the source is not copied: factors beyond the number of angles, by which part of the logits
would have no influence. The twins mix by Sinkhorn's iteration, by the squared entries of Q of a QR
decomposition, or by softmax, which is not doubly stochastic.
"""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod
from collections import deque
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor, nn

from qvlm_qiskit.blocks.zoo.block import zoo_block
from qvlm_qiskit.blocks.zoo.core import Core, CoreConfig, Limits, SizedCore, Sizes, WideLinear
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.quantum import QuantumLayer, make_qnn
from qvlm_qiskit.quantum.encoding import widened

MIXINGS = ("sinkhorn", "qr", "softmax")
SINKHORN_STEPS = 21
"""As many as the source compares with."""


@dataclass(frozen=True)
class DoublyStochasticConfig(CoreConfig):
    """Sizes of the attention.

    Attributes:
        tokens: T, a power of two.
        width: Of a token.
        ancillas: a; the circuit has 2 (log₂ T + a) qubits.
        repetitions: How often each logit is an angle.
        mixing: What the twin has instead of the circuit: ``"sinkhorn"``, ``"qr"`` or ``"softmax"``.
    """

    tokens: int = 16
    width: int = 8
    ancillas: int = 1
    repetitions: int = 1
    mixing: str = "sinkhorn"

    limits: ClassVar[Limits] = {
        "tokens": (2, 256), "width": (1, 4096), "ancillas": (0, 4), "repetitions": (1, 100)
    }  # fmt: skip

    def __post_init__(self) -> None:
        """Refuse what can't be built.

        Raises:
            UnknownNameError: Another kind or mixing.
            InputError: A number out of range, no power of two, or a single qubit for V.
        """
        super().__post_init__()
        if self.mixing not in MIXINGS:
            raise UnknownNameError("mixing", str(self.mixing), MIXINGS)
        if self.tokens & (self.tokens - 1):
            raise InputError(f"tokens must be a power of two, got tokens={self.tokens}")
        if self.tokens == 2 and not self.ancillas:
            raise InputError("two tokens need an ancilla at least, got ancillas=0")

    @property
    def sizes(self) -> Sizes:
        """Tokens → mixed tokens, a row for all of them."""
        maps, factors = 3 * self.width**2, self.repetitions * self.tokens**2
        shape = (self.tokens, self.width)
        return Sizes(shape, shape, maps + factors, rows=1)


class Attention(SizedCore):
    """What circuit and twin share: queries, keys, values, and factors of the logits."""

    def __init__(self, config: DoublyStochasticConfig) -> None:
        """Create the maps and the factors."""
        super().__init__(config)
        width = config.width
        self.queries = WideLinear(width, width, bias=False)
        self.keys = WideLinear(width, width, bias=False)
        self.contents = WideLinear(width, width, bias=False)
        self.theta = nn.Parameter(torch.empty(config.repetitions, config.tokens, config.tokens))
        self.reset_parameters()

    def reset_parameters(self, init: Any = nn.init) -> None:
        """Draw the factors; the maps draw their own."""
        init.normal_(self.theta)

    @abstractmethod
    def matrices(self, logits: Tensor) -> Tensor:
        """Logits times factors ``(…, repetitions, T, T)`` → attention ``(…, T, T)``."""

    def attention(self, tokens: Tensor) -> Tensor:
        """How much of each token (column) each token (row) takes, ``(…, T, T)``."""
        logits = self.queries(tokens) @ self.keys(tokens).mT / math.sqrt(self.config.width)
        return self.matrices(self.theta.to(tokens.dtype) * logits[..., None, :, :])

    def values(self, samples: Tensor) -> Tensor:
        """Mixed tokens."""
        tokens = widened(samples)
        mixed: Tensor = self.attention(tokens) @ self.contents(tokens)
        return mixed.to(samples.dtype)


@zoo_block("doubly-stochastic")
class DoublyStochastic(Attention, Core):
    """Tokens ``(…, T, width)`` → tokens ``(…, T, width)``."""

    config_class = DoublyStochasticConfig

    def __init__(self, config: DoublyStochasticConfig) -> None:
        """Build the circuit."""
        super().__init__(config)
        self.layer = QuantumLayer(_network(config))

    @classmethod
    def twin(cls, config: Any) -> SizedCore:
        """The same with a classical mixing."""
        return ClassicalMixing(config)

    def circuit_parameters(self) -> list[Tensor]:
        """The factors: what they make of logits is all that the circuit has."""
        return [self.theta]

    def matrices(self, logits: Tensor) -> Tensor:
        """All probabilities of row and partner."""
        tokens: int = self.config.tokens
        probabilities: Tensor = self.layer(logits.flatten(-3))
        return tokens * probabilities.reshape(*logits.shape[:-3], tokens, tokens)


class ClassicalMixing(Attention):
    """The same maps and factors; each repetition is a matrix, and their mean is the attention."""

    def matrices(self, logits: Tensor) -> Tensor:
        """Means over the repetitions, by the mixing of the configuration."""
        mix = {"sinkhorn": sinkhorn, "qr": squared_q, "softmax": _softmax}[self.config.mixing]
        return mix(logits).mean(-3)


def sinkhorn(logits: Tensor) -> Tensor:
    """Rows and columns of exp(logits) scaled in turn; columns add up to one, rows nearly."""
    for _ in range(SINKHORN_STEPS):
        logits = logits - logits.logsumexp(-1, keepdim=True)
        logits = logits - logits.logsumexp(-2, keepdim=True)
    return logits.exp()


def squared_q(logits: Tensor) -> Tensor:
    """Squared entries of Q, of the QR decomposition of one plus the logits.

    The one keeps Q and its gradient defined where all logits are zero.
    """
    one = torch.eye(logits.shape[-1], dtype=logits.dtype, device=logits.device)
    unitary: Tensor = torch.linalg.qr(one + logits)[0]
    return unitary.square()


def _softmax(logits: Tensor) -> Tensor:
    return logits.softmax(-1)


def _network(config: DoublyStochasticConfig) -> EstimatorQNN:
    bits = config.tokens.bit_length() - 1
    work = bits + config.ancillas
    fresh = set(range(bits, work))
    angles = list(ParameterVector("a", config.repetitions * config.tokens**2))
    circuit, left = QuantumCircuit(2 * work), deque(angles)
    for qubit in range(work):
        circuit.h(work + qubit)
        circuit.cx(work + qubit, qubit)
    pairs = itertools.cycle(_pairs(bits, config.ancillas))
    while left:
        one, other = next(pairs)
        circuit.ry(left.popleft(), one)
        # no rotation of a maximally mixed ancilla makes a difference
        if other not in fresh and len(left) >= 3:
            circuit.ry(left.popleft(), other)
            circuit.rz(left.popleft(), other)
        fresh.discard(other)
        circuit.cx(one, other)
        circuit.rx(left.popleft(), one)
    # the last named qubits are the highest bits of an outcome: rows
    read = [*range(work, work + bits), *range(bits)]
    return make_qnn(circuit, angles, [], read="probabilities", qubits=read)


def _pairs(bits: int, ancillas: int) -> list[tuple[int, int]]:
    """Neighbours of the row register, then every ancilla with a qubit of it."""
    chain = [(qubit, qubit + 1) for qubit in range(bits - 1)]
    return chain + [(ancilla % bits, bits + ancilla) for ancilla in range(ancillas)]
