r"""A convolutional circuit that pools by measuring (Cong, Choi and Lukin, arXiv:1810.03787).

n features as RY. A level has two rounds of one unitary on neighbouring qubits, the same everywhere:
first on qubits 1 and 2, 3 and 4, and so on, then on the pairs between. After that every other qubit
is measured, and what its neighbour undergoes depends on the outcome. The qubits that are left go
through the next level, and ⟨Z⟩ of the last ones are the values.

What of the source is not copied: it classifies states that a physicist prepares, and its last level
is a unitary of all remaining qubits; here features are angles, and the last level is like the
others. Measurements are deferred to the end by the engine, so that values and gradients are exact;
that is also why n qubits are simulated though fewer and fewer are in use. Many samples of the
default sizes go another exact way, :mod:`~qvlm_qiskit.blocks.zoo.pooled_states`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from qiskit.circuit import Parameter, ParameterVector, QuantumCircuit
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor

from qvlm_qiskit.blocks.cores.angles import BoundedAngles
from qvlm_qiskit.blocks.zoo.block import zoo_block
from qvlm_qiskit.blocks.zoo.core import Core, CoreConfig, Limits, SizedCore, Sizes
from qvlm_qiskit.blocks.zoo.pooled_states import LEFT, QUBITS, pooled_values
from qvlm_qiskit.blocks.zoo.twins import MatchedNetwork
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum import QuantumLayer, make_qnn, z_observables
from qvlm_qiskit.quantum.encoding import widened

CONVOLUTION, POOLING = 9, 2
"""Angles of the two unitaries of a level."""
MANY = 24
"""From so many samples on, matrices made once for all of them are faster than gate after gate."""


@dataclass(frozen=True)
class PoolingQCNNConfig(CoreConfig):
    """Sizes of the circuit.

    Attributes:
        qubits: n, a power of two.
        outputs: Qubits that are left at the end, a power of two below n.
    """

    qubits: int = 8
    outputs: int = 2

    limits: ClassVar[Limits] = {"qubits": (2, 16), "outputs": (1, 8)}

    def __post_init__(self) -> None:
        """Refuse what can't be built.

        Raises:
            UnknownNameError: Another kind.
            InputError: A number out of range or that is no power of two, or nothing to pool.
        """
        super().__post_init__()
        for name in ("qubits", "outputs"):
            if getattr(self, name).bit_count() != 1:
                raise InputError(
                    f"each level halves the qubits: {name} is a power of two, got "
                    f"{getattr(self, name)}"
                )
        if self.outputs >= self.qubits:
            raise InputError(
                f"pooling leaves at most {self.qubits // 2} of {self.qubits} qubits, and "
                f"outputs={self.outputs}"
            )

    @property
    def levels(self) -> int:
        """How often the qubits are halved."""
        return (self.qubits // self.outputs).bit_length() - 1

    @property
    def sizes(self) -> Sizes:
        """A value for each qubit that is left."""
        parameters = self.levels * (CONVOLUTION + POOLING)
        return Sizes((self.qubits,), (self.outputs,), parameters, rows=1)


@zoo_block("pooling-qcnn")
class PoolingQCNN(Core):
    """Features ``(…, n)`` → ⟨Z⟩ of the qubits that are left, ``(…, outputs)``."""

    config_class = PoolingQCNNConfig

    def __init__(self, config: PoolingQCNNConfig) -> None:
        """Build the circuit."""
        super().__init__(config)
        self.angles = BoundedAngles()
        self.layer = QuantumLayer(_network(config))

    @classmethod
    def twin(cls, config: Any) -> SizedCore:
        """A network whose outputs are from -1 to 1 too."""
        return MatchedNetwork(config, "tanh")

    def values(self, samples: Tensor) -> Tensor:
        """⟨Z⟩ of the qubits that are left."""
        angles = self.angles(widened(samples))
        if self._goes_by_products(angles):
            rows, weight = angles.reshape(-1, QUBITS), self.layer.weight
            read = pooled_values(rows, weight).view(*angles.shape[:-1], LEFT)
        else:
            read = self.layer(angles)
        return read.to(samples.dtype)

    def _goes_by_products(self, angles: Tensor) -> bool:
        """Whether these are so many samples of such a circuit, and in a precision of their own."""
        return (
            (self.config.qubits, self.config.outputs) == (QUBITS, LEFT)
            and math.prod(angles.shape[:-1]) >= MANY
            and self.closed_form
            and not torch.compiler.is_compiling()
            and not _rounds(angles.device.type)
        )


def _network(config: PoolingQCNNConfig) -> EstimatorQNN:
    n, own = config.qubits, CONVOLUTION + POOLING
    features, weights = (
        list(ParameterVector("x", n)),
        list(ParameterVector("w", config.levels * own)),
    )
    circuit, left = QuantumCircuit(n, n), list(range(n))
    for qubit, feature in enumerate(features):
        circuit.ry(feature, qubit)
    for level in range(config.levels):
        given = weights[level * own : (level + 1) * own]
        _convolve(circuit, left, given[:CONVOLUTION])
        left = _pool(circuit, left, *given[CONVOLUTION:])
    observables = z_observables(n)
    return make_qnn(circuit, features, weights, [observables[qubit] for qubit in left])


def _convolve(circuit: QuantumCircuit, left: Sequence[int], angles: Sequence[Parameter]) -> None:
    """One unitary on all pairs of neighbours around a ring, in two rounds."""
    pairs = list(zip(left[::2], left[1::2], strict=True))
    # two qubits are one pair, not two
    pairs += zip(left[1::2], [*left[2::2], left[0]], strict=True) if len(left) > 2 else []
    for pair in pairs:
        for qubit, own in zip(pair, (angles[:3], angles[3:6]), strict=True):
            circuit.rz(own[0], qubit)
            circuit.ry(own[1], qubit)
            circuit.rz(own[2], qubit)
        circuit.rxx(angles[6], *pair)
        circuit.ryy(angles[7], *pair)
        circuit.rzz(angles[8], *pair)


def _pool(
    circuit: QuantumCircuit, left: Sequence[int], always: Parameter, if_one: Parameter
) -> list[int]:
    """Measure every other qubit; its neighbour is turned, and once more after a 1."""
    for measured, kept in zip(left[::2], left[1::2], strict=True):
        circuit.measure(measured, measured)
        circuit.rz(always, kept)
        with circuit.if_test((circuit.clbits[measured], 1)):
            circuit.rx(if_one, kept)
    return list(left[1::2])


def _rounds(device: str) -> bool:
    """Whether autocast is on; torch refuses to tell of devices that have none."""
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
