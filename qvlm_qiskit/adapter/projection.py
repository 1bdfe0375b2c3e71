r"""From a picture's features to tokens of a language model, through a circuit.

After sriram7737's Quantum-VLM-Adapter, whose quantum projection is Linear(d → n) → RX of the
values → layers of RX and a ring of CX → ⟨Z⟩ → Linear(n → hidden). Ours differs where trying showed
why:

- rows are normalised and bounded by :math:`\tfrac{\pi}{2}\tanh` before they become angles.
  Unbounded angles hardly learn, nor do those bounded by π: RX(π) and RX(-π) are the same state;
- the default circuit is RY of the features and layers of RY, RZ, RX with the ring. In the source's
  every rotation is an X string behind the ring, and strings of X commute: layers add no depth;
- ⟨ZZ⟩ of every pair is read besides, so that a token has n(n+1)/2 numbers to be made of, not n;
- tokens have the deviation of the language model's own embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import torch
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit.quantum_info import SparsePauliOp
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor, nn

from qvlm_qiskit.basics.numbers import is_whole
from qvlm_qiskit.blocks.block import Block
from qvlm_qiskit.blocks.circuit_block import NormalisedLinear
from qvlm_qiskit.blocks.cores.angles import BoundedAngles
from qvlm_qiskit.blocks.gate import ExpectationReadout
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.quantum import QuantumLayer, make_qnn, variational_layer, z_observables
from qvlm_qiskit.quantum.encoding import widened
from qvlm_qiskit.quantum.single_precision import AtLeastSingle

KINDS = ("quantum", "classical", "frozen", "linear")
"""The circuit; its twin of as many parameters; a circuit whose angles are not trained; two linear
maps, which are the projector and the gate of the source's classical model."""
ANSATZE = ("mixed", "source")
READS = ("zz", "z")


@dataclass(frozen=True)
class ProjectionConfig:
    """What stands between features and tokens.

    Attributes:
        kind: One of :data:`KINDS`.
        num_qubits: n.
        num_layers: Variational layers.
        ansatz: ``"mixed"`` (RY, RZ, RX and a ring of CX) or ``"source"`` (RX and the ring).
        read: ``"zz"``, ⟨Z⟩ of every qubit and ⟨ZZ⟩ of every pair, or ``"z"``.
        tokens: How many vision tokens a picture becomes.
        keep: Width of a linear map that is kept in front, the source's projector; the circuit then
            takes the place of its gate alone. None for none.
        width: Between the two maps of kind ``"linear"``; the source's is 512.
    """

    kind: str = "quantum"
    num_qubits: int = 4
    num_layers: int = 3
    ansatz: str = "mixed"
    read: str = "zz"
    tokens: int = 1
    keep: int | None = None
    width: int = 512

    def __post_init__(self) -> None:
        """Refuse what can't be built.

        Raises:
            UnknownNameError: An unknown kind, ansatz or read-out.
            InputError: A number out of range.
        """
        for what, known in (("kind", KINDS), ("ansatz", ANSATZE), ("read", READS)):
            if getattr(self, what) not in known:
                raise UnknownNameError(f"{what} of a projection", str(getattr(self, what)), known)
        ranges = {"num_qubits": (1, 24), "num_layers": (1, 100), "tokens": (1, 64),
                  "width": (1, 2**16), "keep": (1, 2**16)}  # fmt: skip
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if name == "keep" and value is None:
                continue
            if not is_whole(value) or not least <= value <= most:
                raise InputError(f"{name} is a whole number from {least} to {most}, got {value!r}")

    @property
    def outputs(self) -> int:
        """Numbers that are read from the circuit."""
        n = self.num_qubits
        return n * (n + 1) // 2 if self.read == "zz" else n


class QuantumProjection(Block):
    """Features ``(B, d)`` → tokens ``(B, tokens, hidden)``; always in single precision inside."""

    place = "adapter"
    config_class = ProjectionConfig
    angle_maps = ("reduce",)
    circuits = ("core",)

    def __init__(self, config: ProjectionConfig, width: int, hidden: int, deviation: float) -> None:
        """Create the projection.

        Args:
            config: Sizes and variant; not of kind ``"linear"``, see :class:`LinearProjection`.
            width: Features of a picture.
            hidden: Width of the language model's embeddings.
            deviation: Their standard deviation.
        """
        super().__init__(config, width)
        self.hidden, self.deviation = hidden, deviation
        self.reduce: nn.Module = NormalisedLinear(config.keep or width, config.num_qubits)
        if config.keep is not None:  # one map, so that all of it is in double where rows are bought
            self.reduce = nn.Sequential(nn.Linear(width, config.keep), self.reduce)
        made = TwinCore(config) if config.kind == "classical" else CircuitCore(config)
        self.core = made
        self.expand = ExpectationReadout(config.outputs, config.tokens * hidden)

    def forward(self, features: Tensor) -> Tensor:
        """Tokens of pictures, of the embeddings' deviation.

        Args:
            features: ``(B, d)``, of any float dtype.

        Returns:
            ``(B, tokens, hidden)`` in single precision.
        """
        read = self.core(self.reduce(features.float()))
        made: Tensor = self.deviation * self.expand(read.float())
        return made.reshape(*made.shape[:-1], self.config.tokens, self.hidden)


class LinearProjection(nn.Module):
    """The source's classical model: Linear(d → 512), Linear(512 → hidden), nothing between."""

    def __init__(self, config: ProjectionConfig, width: int, hidden: int, deviation: float) -> None:
        """Create both maps; see :class:`QuantumProjection` for the arguments."""
        super().__init__()
        self.config, self.hidden, self.deviation = config, hidden, deviation
        self.projector = nn.Linear(width, config.width)
        self.gate = nn.Linear(config.width, config.tokens * hidden)

    def forward(self, features: Tensor) -> Tensor:
        """Features ``(B, d)`` → tokens ``(B, tokens, hidden)`` in single precision."""
        made: Tensor = self.deviation * self.gate(self.projector(features.float()))
        return made.reshape(*made.shape[:-1], self.config.tokens, self.hidden)


def build_projection(
    config: ProjectionConfig, width: int, hidden: int, deviation: float
) -> QuantumProjection | LinearProjection:
    """The projection of a configuration; see :class:`QuantumProjection` for the arguments."""
    if config.kind == "linear":
        return LinearProjection(config, width, hidden, deviation)
    built = QuantumProjection(config, width, hidden, deviation)
    built.freeze()
    return built


class CircuitCore(nn.Module):
    """Bounded angles, the circuit, ⟨Z⟩ and ⟨ZZ⟩: ``(B, n)`` → ``(B, outputs)``."""

    def __init__(self, config: ProjectionConfig) -> None:
        """Build the circuit of a configuration."""
        super().__init__()
        self.bounded = BoundedAngles()
        self.layer = QuantumLayer(_network(config))

    def forward(self, features: Tensor) -> Tensor:
        """Values of the observables, of the features' dtype."""
        values: Tensor = self.layer(self.bounded(widened(features)))
        return values


def _network(config: ProjectionConfig) -> EstimatorQNN:
    n = config.num_qubits
    source = config.ansatz == "source"
    angles = ParameterVector("x", n)
    per_layer = n if source else 3 * n
    weights = ParameterVector("w", per_layer * config.num_layers)
    circuit = QuantumCircuit(n)
    for qubit, angle in enumerate(angles):
        (circuit.rx if source else circuit.ry)(angle, qubit)
    for index in range(config.num_layers):
        own = weights[per_layer * index : per_layer * (index + 1)]
        if source:
            _source_layer(circuit, own)
        else:
            variational_layer(circuit, own)
    observables = z_observables(n)
    if config.read == "zz":
        observables += [
            SparsePauliOp.from_sparse_list([("ZZ", [i, j], 1.0)], num_qubits=n)
            for i, j in combinations(range(n), 2)
        ]
    return make_qnn(circuit, list(angles), list(weights), observables)


def _source_layer(circuit: QuantumCircuit, weights: list[object]) -> None:
    """PennyLane's BasicEntanglerLayers: RX on every qubit, a ring of CX; one CX for two qubits."""
    n = circuit.num_qubits
    for qubit, weight in enumerate(weights):
        circuit.rx(weight, qubit)
    for qubit in range(n if n > 2 else n - 1):
        circuit.cx(qubit, (qubit + 1) % n)


class TwinCore(AtLeastSingle):
    r"""The circuit's twin: a tanh network of the same bottleneck, outputs and number of parameters.

    Angles are reduced to :math:`h_i = \sin θ_i`. A layer is :math:`h_i ← \tanh(a_i h_i + b_i
    h_{i-1} + c_i)`, or with the source's ansatz, whose layers have one number a qubit,
    :math:`\tanh(h_i + h_{i-1} + c_i)`. What a circuit reads as ⟨ZZ⟩ are products of two here.
    """

    def __init__(self, config: ProjectionConfig) -> None:
        """Create the twin of the circuit of a configuration."""
        super().__init__()
        self.pairs = config.read == "zz"
        self.bounded = BoundedAngles()
        rows = 1 if config.ansatz == "source" else 3
        self.weight = nn.Parameter(torch.empty(config.num_layers, rows, config.num_qubits))
        nn.init.uniform_(self.weight, -1, 1)

    def forward(self, features: Tensor) -> Tensor:
        """``(B, n)`` → ``(B, outputs)``, of the features' dtype."""
        hidden = torch.sin(self.bounded(widened(features)))
        for layer in self.weight.to(hidden.dtype):
            before = hidden.roll(1, dims=-1)
            if len(layer) == 1:
                total = hidden + before + layer[0]
            else:
                total = layer[0] * hidden + layer[1] * before + layer[2]
            hidden = torch.tanh(total)
        if self.pairs:
            n = hidden.shape[-1]
            first, second = zip(*combinations(range(n), 2), strict=True) if n > 1 else ((), ())
            products = hidden[..., list(first)] * hidden[..., list(second)]
            hidden = torch.cat([hidden, products], dim=-1)
        return hidden
