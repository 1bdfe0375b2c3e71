r"""The first circuit that classified pictures (Farhi and Neven, arXiv:1802.06002).

In the form of the TensorFlow Quantum tutorial: bits of a picture on data qubits, a read-out qubit
in :math:`X|0⟩` and H; from each data qubit an XX rotation to it, then a ZZ rotation; H, and ⟨Z⟩ of
the read-out qubit. Bits may be anything from 0 to 1 here: RX(πx).

**It needs no quantum computer.** The read-out qubit is an eigenstate of X, so that the XX rotations
only turn the data qubits, by -v each, and what is read is

.. math:: -\mathrm{Re} \prod_q (\cos πw_q + i \sin πw_q \cos π(x_q - v_q)).

Exact values are computed by this product, machines run the circuit; tests compare both.

What of the source is not copied: it counts only pictures whose 0 and 1 don't contradict each
other, after scaling to 4 × 4 bits, where a linear classifier is as good.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit.quantum_info import SparsePauliOp
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor

from qvlm_qiskit.blocks.zoo.block import zoo_block
from qvlm_qiskit.blocks.zoo.core import Core, CoreConfig, Limits, SizedCore, Sizes
from qvlm_qiskit.blocks.zoo.twins import MatchedNetwork
from qvlm_qiskit.quantum import QuantumLayer, make_qnn
from qvlm_qiskit.quantum.encoding import widened


@dataclass(frozen=True)
class FarhiNevenConfig(CoreConfig):
    """Sizes of the circuit.

    Attributes:
        inputs: Bits, one qubit each; the read-out qubit is one more.
    """

    inputs: int = 16

    limits: ClassVar[Limits] = {"inputs": (2, 155)}

    @property
    def sizes(self) -> Sizes:
        """Bits → one value."""
        return Sizes((self.inputs,), (1,), 2 * self.inputs, rows=1)


@zoo_block("farhi-neven")
class FarhiNeven(Core):
    """Bits ``(…, inputs)`` from 0 to 1 → ⟨Z⟩ of the read-out qubit ``(…, 1)``."""

    config_class = FarhiNevenConfig
    unit_inputs = True

    def __init__(self, config: FarhiNevenConfig) -> None:
        """Build the circuit."""
        super().__init__(config)
        self.layer = QuantumLayer(_network(config))

    @classmethod
    def twin(cls, config: Any) -> SizedCore:
        """A tanh network of as many numbers."""
        return MatchedNetwork(config, "tanh")

    def values(self, samples: Tensor) -> Tensor:
        """⟨Z⟩ by the product, or by the circuit."""
        bits = widened(samples)
        if not self.closed_form:
            read: Tensor = self.layer(math.pi * bits)
            return read.to(samples.dtype)
        turned, phase = (math.pi * self.layer.weight.to(bits.dtype)).chunk(2)
        real = torch.cos(phase).expand_as(bits)
        factors = torch.complex(real, torch.sin(phase) * torch.cos(math.pi * bits - turned))
        return -factors.prod(-1).real[..., None].to(samples.dtype)


def _network(config: FarhiNevenConfig) -> EstimatorQNN:
    bits = list(ParameterVector("x", config.inputs))
    weights = list(ParameterVector("w", 2 * config.inputs))
    circuit, reader = QuantumCircuit(config.inputs + 1), config.inputs
    for qubit, bit in enumerate(bits):
        circuit.rx(bit, qubit)
    circuit.x(reader)
    circuit.h(reader)
    for qubit in range(config.inputs):
        circuit.rxx(math.pi * weights[qubit], qubit, reader)
    for qubit in range(config.inputs):
        circuit.rzz(math.pi * weights[config.inputs + qubit], qubit, reader)
    circuit.h(reader)
    read = SparsePauliOp.from_sparse_list([("Z", [reader], 1.0)], num_qubits=reader + 1)
    return make_qnn(circuit, bits, weights, [read])
