"""A block's circuit: encoding, variational layers, pooling, ⟨Z⟩ of the qubits that are left."""

from __future__ import annotations

import torch
from qiskit.circuit import Parameter, ParameterVector, QuantumCircuit
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor, nn

from qvlm_qiskit.blocks.cores.angles import angles_of
from qvlm_qiskit.blocks.cores.shape import CoreShape
from qvlm_qiskit.quantum import (
    AmplitudeEncoding,
    QuantumLayer,
    make_qnn,
    mps_encoding,
    pooling_layer,
    variational_layer,
    z_observables,
)
from qvlm_qiskit.quantum.encoding import widened


class QuantumCore(nn.Module):
    """Features and positions through the circuit of a shape.

    Attributes:
        shape: What it is made of.
        angles: Turns features into angles; None for amplitudes, which need not become any.
    """

    def __init__(self, shape: CoreShape, frozen: bool = False) -> None:
        """Build the circuit.

        Args:
            shape: Sizes, encoding and pooling.
            frozen: Take the circuit's angles out of training.
        """
        super().__init__()
        self.shape = shape
        self.frozen = frozen
        self.layer = QuantumLayer(_qnn(shape))
        self.angles = None if shape.encoding == "amplitude" else angles_of(shape)
        self.freeze()

    def freeze(self) -> None:
        """Take a frozen circuit's angles out of training (again, after loading weights)."""
        if self.frozen:
            self.requires_grad_(False)

    def forward(self, features: Tensor, positions: Tensor | None = None) -> Tensor:
        """``(…, features)`` and angles ``(…, n)`` → ⟨Z⟩ of the qubits that are left."""
        # normalising, and a tree of square roots and arctangents, are kept out of half precision
        exact = widened(features)
        if positions is not None:
            positions = positions.to(exact.dtype).expand(*exact.shape[:-1], self.shape.num_qubits)
        if self.angles is None:
            return self.layer.encode(exact, positions).to(features.dtype)
        inputs = self.angles(exact)
        if positions is not None:
            inputs = torch.cat([inputs, positions], dim=-1)
        values: Tensor = self.layer(inputs)
        return values.to(features.dtype)


def _qnn(shape: CoreShape) -> EstimatorQNN:
    n = shape.num_qubits
    amplitudes = shape.encoding == "amplitude"
    size = 2**n - 1 if amplitudes else len(shape.angle_qubits)
    features = ParameterVector("amplitude" if amplitudes else "angle", size)
    positions = ParameterVector("position", n if shape.positional else 0)
    weights = ParameterVector("w", shape.layer_weights * shape.num_layers + shape.pooling_weights)
    circuit, given = QuantumCircuit(n), list(weights)
    for index in range(shape.num_layers):
        if index < shape.uploads:
            _encode(circuit, shape, list(features), index)
        _layer(circuit, _taken(given, shape.layer_weights), list(positions))
    left = _pooled(circuit, shape, given)
    everything = z_observables(n)
    observables = [everything[qubit] for qubit in left]
    return make_qnn(circuit, [*features, *positions], list(weights), observables)


def _encode(
    circuit: QuantumCircuit, shape: CoreShape, features: list[Parameter], upload: int
) -> None:
    """Append the encoding, or the one before a later layer."""
    n = shape.num_qubits
    if shape.encoding == "amplitude":
        circuit.append(AmplitudeEncoding(features), range(n))
    elif shape.encoding == "mps":
        mps_encoding(circuit, features, shape.bond)
    else:
        for qubit in range(n):
            circuit.ry(features[n * upload + qubit], qubit)


def _layer(circuit: QuantumCircuit, weights: list[Parameter], positions: list[Parameter]) -> None:
    """Append a variational layer, behind the positional gates if there are positions."""
    n = circuit.num_qubits
    for qubit, position in enumerate(positions):
        circuit.rz(position, qubit)
        circuit.ry(weights[3 * n + qubit], qubit)
    variational_layer(circuit, weights[: 3 * n])


def _pooled(circuit: QuantumCircuit, shape: CoreShape, weights: list[Parameter]) -> list[int]:
    """Append the pooling steps with layers between them; the qubits that are left."""
    left = list(range(shape.num_qubits))
    for step in range(shape.pooling):
        if step:
            variational_layer(circuit, _taken(weights, 3 * len(left)), left)
        left = pooling_layer(circuit, _taken(weights, 2 * (len(left) // 2)), left)
    return left


def _taken(weights: list[Parameter], count: int) -> list[Parameter]:
    """The first weights, which are removed from the list."""
    taken = weights[:count]
    del weights[:count]
    return taken
