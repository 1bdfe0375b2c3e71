"""The adapter's circuit, and its classical twin of the same bottleneck."""

from __future__ import annotations

from itertools import combinations

import torch
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit.quantum_info import SparsePauliOp
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor, nn

from qvlm_qiskit.adapter.configuration import ProjectionConfig
from qvlm_qiskit.blocks.cores.angles import BoundedAngles
from qvlm_qiskit.blocks.cores.classical import z_of_amplitudes
from qvlm_qiskit.blocks.cores.part import refuse_not_finite
from qvlm_qiskit.blocks.registry import read_block
from qvlm_qiskit.blocks.zoo import find_core
from qvlm_qiskit.quantum import (
    AmplitudeEncoding,
    QuantumLayer,
    make_qnn,
    variational_layer,
    z_observables,
)
from qvlm_qiskit.quantum.encoding import widened
from qvlm_qiskit.quantum.torch_support.single_precision import AtLeastSingle


def build_core(config: ProjectionConfig) -> nn.Module:
    """The circuit of a configuration, or its twin: ``(…, inputs)`` → ``(…, outputs)``."""
    if config.block is not None:
        return FlatCore(config)
    return TwinCore(config) if config.kind == "classical" else CircuitCore(config)


class FlatCore(nn.Module):
    """A model of the block zoo, with its inputs and its values in a row."""

    def __init__(self, config: ProjectionConfig) -> None:
        """Build the model that a configuration names."""
        super().__init__()
        name, _ = read_block(str(config.block))
        self.kind = find_core(name)
        self.sizes = config.core.sizes
        self.core = self.kind.made(config.core)

    def forward(self, features: Tensor) -> Tensor:
        """``(…, inputs)`` → ``(…, outputs)``."""
        given = torch.sigmoid(features) if self.kind.unit_inputs else features
        values: Tensor = self.core(given.reshape(*given.shape[:-1], *self.sizes.inputs))
        return values.flatten(features.dim() - 1)


class CircuitCore(nn.Module):
    """Angles or amplitudes, the circuit, ⟨Z⟩ and ⟨ZZ⟩: ``(…, inputs)`` → ``(…, outputs)``."""

    def __init__(self, config: ProjectionConfig) -> None:
        """Build the circuit of a configuration."""
        super().__init__()
        self.amplitudes = config.encoding == "amplitude"
        self.bounded = BoundedAngles()
        self.layer = QuantumLayer(_network(config))

    def forward(self, features: Tensor) -> Tensor:
        """Values of the observables, of the features' dtype."""
        wide = widened(features)
        if self.amplitudes:
            return self.layer.encode(wide)
        values: Tensor = self.layer(self.bounded(wide))
        return values


def _network(config: ProjectionConfig) -> EstimatorQNN:
    n = config.num_qubits
    source = config.ansatz == "source"
    amplitudes = config.encoding == "amplitude"
    angles = ParameterVector("x", 2**n - 1 if amplitudes else n)
    per_layer = n if source else 3 * n
    weights = ParameterVector("w", per_layer * config.num_layers)
    circuit = QuantumCircuit(n)
    if amplitudes:
        circuit.append(AmplitudeEncoding(list(angles)), range(n))
    else:
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

    Angles are reduced to :math:`h_i = \sin θ_i`, amplitudes to what ⟨Z⟩ would read from them. A
    layer is :math:`h_i ← \tanh(a_i h_i + b_i h_{i-1} + c_i)`, or with the source's ansatz, whose
    layers have one number a qubit, :math:`\tanh(h_i + h_{i-1} + c_i)`. What a circuit reads as ⟨ZZ⟩
    are products of two here.
    """

    def __init__(self, config: ProjectionConfig) -> None:
        """Create the twin of the circuit of a configuration."""
        super().__init__()
        self.pairs = config.read == "zz"
        self.amplitudes = config.encoding == "amplitude"
        self.bounded = BoundedAngles()
        rows = 1 if config.ansatz == "source" else 3
        self.weight = nn.Parameter(torch.empty(config.num_layers, rows, config.num_qubits))
        nn.init.uniform_(self.weight, -1, 1)

    def forward(self, features: Tensor) -> Tensor:
        """``(…, inputs)`` → ``(…, outputs)``, of the features' dtype.

        Raises:
            InputError: NaN or infinity, which the circuit refuses too.
        """
        refuse_not_finite("features", features)
        wide = widened(features)
        if self.amplitudes:
            hidden = z_of_amplitudes(wide, self.weight.shape[-1])
        else:
            hidden = torch.sin(self.bounded(wide))
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
