r"""What stands between a block's two linear maps: a circuit, or its classical twin.

A core maps unit vectors ``(…, 2**n)`` (and, with positions, angles ``(…, n)``) to ``(…, n)``
values in [-1, 1]. The quantum core and the classical twin have the same number of trainable
parameters, 3·n per layer and n more with positions, and sit between identical linear maps and an
identical gate, so that replacing one by the other changes nothing else.
"""

from __future__ import annotations

import torch
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor, nn

from qvlm_qiskit.errors import UnknownNameError
from qvlm_qiskit.quantum import (
    AmplitudeEncoding,
    QuantumLayer,
    make_qnn,
    variational_layer,
)
from qvlm_qiskit.quantum.encoding import unit_vectors, widened
from qvlm_qiskit.quantum.single_precision import AtLeastSingle

BLOCK_KINDS = ("quantum", "classical", "frozen")
"""Circuit; classical twin; circuit whose random angles are never trained."""


def build_core(kind: str, num_qubits: int, num_layers: int, positional: bool) -> nn.Module:
    """The core of a block.

    Args:
        kind: One of :data:`BLOCK_KINDS`.
        num_qubits: n.
        num_layers: Variational layers.
        positional: Whether every layer starts with the positional gates of PAQM.

    Raises:
        UnknownNameError: Another kind.
    """
    if kind not in BLOCK_KINDS:
        raise UnknownNameError("block kind", kind, BLOCK_KINDS)
    if kind == "classical":
        return ClassicalCore(num_qubits, num_layers, positional)
    return QuantumCore(num_qubits, num_layers, positional, frozen=kind == "frozen")


def weights_per_layer(num_qubits: int, positional: bool) -> int:
    """Trainable numbers of one layer, the same for circuit and twin."""
    return (4 if positional else 3) * num_qubits


class QuantumCore(nn.Module):
    """Amplitude encoding, variational layers, ⟨Z⟩ of every qubit."""

    def __init__(
        self, num_qubits: int, num_layers: int, positional: bool, frozen: bool = False
    ) -> None:
        """Build the circuit; see :func:`build_core`."""
        super().__init__()
        self.frozen = frozen
        self.num_qubits = num_qubits
        self.positional = positional
        self.layer = QuantumLayer(_qnn(num_qubits, num_layers, positional))
        self.freeze()

    def freeze(self) -> None:
        """Take a frozen circuit's angles out of training (again, after loading weights)."""
        if self.frozen:
            self.layer.weight.requires_grad_(False)

    def forward(self, features: Tensor, positions: Tensor | None = None) -> Tensor:
        """⟨Z⟩ of every qubit: ``(…, 2**n)`` and angles ``(…, n)`` → ``(…, n)``."""
        # normalising, and a tree of square roots and arctangents, are kept out of half precision
        exact = widened(features)
        if positions is not None:
            positions = positions.to(exact.dtype).expand(*exact.shape[:-1], self.num_qubits)
        return self.layer.encode(exact, positions).to(features.dtype)


def _qnn(n: int, num_layers: int, positional: bool) -> EstimatorQNN:
    amplitudes = ParameterVector("amplitude", 2**n - 1)
    positions = ParameterVector("position", n if positional else 0)
    size = weights_per_layer(n, positional)
    weights = ParameterVector("w", size * num_layers)
    circuit = QuantumCircuit(n)
    circuit.append(AmplitudeEncoding(list(amplitudes)), range(n))
    for index in range(num_layers):
        layer = weights[size * index : size * (index + 1)]
        if positional:
            for qubit in range(n):
                circuit.rz(positions[qubit], qubit)
                circuit.ry(layer[3 * n + qubit], qubit)
        variational_layer(circuit, layer[: 3 * n])
    return make_qnn(circuit, [*amplitudes, *positions], list(weights))


class ClassicalCore(AtLeastSingle):
    r"""A small tanh network with the circuit's shape: read-out, neighbours on a ring, n outputs.

    The unit vector is first reduced, without parameters, to the n numbers that ⟨Z⟩ would read from
    it: :math:`h_i = \sum_k f_k^2 (-1)^{k_i}`. Each layer is
    :math:`h_i ← \tanh(a_i h_i + b_i h_{i-1} + c_i)` and, with positions,
    :math:`+\, d_i \sin p_i` inside the tanh. [The twin is ours: the source names only a
    "classical" block.]
    """

    def __init__(self, num_qubits: int, num_layers: int, positional: bool) -> None:
        """Create the twin; see :func:`build_core`."""
        super().__init__()
        self.num_qubits = num_qubits
        size = weights_per_layer(num_qubits, positional)
        self.weight = nn.Parameter(torch.empty(num_layers, size // num_qubits, num_qubits))
        nn.init.uniform_(self.weight, -1, 1)

    def forward(self, features: Tensor, positions: Tensor | None = None) -> Tensor:
        """``(…, 2**n)`` and angles ``(…, n)`` → ``(…, n)``; features of any scale."""
        weights = torch.square(unit_vectors(features))
        index = torch.arange(2**self.num_qubits, device=features.device)
        bits = index[:, None] >> torch.arange(self.num_qubits, device=features.device) & 1
        hidden = weights @ (1 - 2 * bits).to(weights.dtype)
        for layer in self.weight.to(weights.dtype):
            total = layer[0] * hidden + layer[1] * hidden.roll(1, dims=-1) + layer[2]
            if positions is not None:
                total = total + layer[3] * torch.sin(positions.to(total.dtype))
            hidden = torch.tanh(total)
        return hidden
