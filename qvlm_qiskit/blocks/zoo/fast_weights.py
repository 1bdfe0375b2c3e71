r"""Quantum fast weight programmer (Chen, arXiv:2402.17760): a slow network programs a circuit.

At every step t of a series a slow network adds to the angles of a circuit, and they are the memory:

.. math:: \theta_t = \theta_{t-1} + l(e_t) \otimes q(e_t), \qquad \theta_0 = 0,

where e, l and q are linear maps, of a step, to layers and to qubits. The circuit has H on each
qubit; RY by the features of the step on the first ones; layers of two rows of CX between neighbours
and RY(θ). ⟨Z⟩ of the first qubits are the values of the step; the source reads them with one more
linear map, which belongs to whoever uses them here.

The recurrence is classical and a sum, so all steps are one batch. The loss of the source is one of
the last step alone: ``every_step=False`` runs that circuit and no other.

What of the source is not copied: it compares with an LSTM of a circuit, where the recurrence and
the circuit change at once. The twin here is the same slow network that programs as many offsets of
layers of tanh; the frozen version has a slow network that is not trained.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor

from qvlm_qiskit.blocks.zoo.block import zoo_block
from qvlm_qiskit.blocks.zoo.core import Core, CoreConfig, Limits, SizedCore, Sizes, WideLinear
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum import QuantumLayer, make_qnn, z_observables
from qvlm_qiskit.quantum.encoding import widened


@dataclass(frozen=True)
class FastWeightsConfig(CoreConfig):
    """Sizes of the programmer.

    Attributes:
        tokens: Steps of a series.
        inputs: Features of a step, one qubit each.
        outputs: Qubits that are read.
        qubits: n.
        repetitions: Layers of the circuit.
        latent: Width of the slow network.
        every_step: Whether all steps are read, or the last alone.
    """

    tokens: int = 4
    inputs: int = 1
    outputs: int = 4
    qubits: int = 8
    repetitions: int = 2
    latent: int = 8
    every_step: bool = True

    limits: ClassVar[Limits] = {
        "tokens": (1, 4096), "inputs": (1, 20), "outputs": (1, 20), "qubits": (1, 20),
        "repetitions": (1, 100), "latent": (1, 4096),
    }  # fmt: skip

    def __post_init__(self) -> None:
        """Refuse what can't be built.

        Raises:
            InputError: A number out of range, or features or values for which qubits lack.
        """
        super().__post_init__()
        for name in ("inputs", "outputs"):
            if getattr(self, name) > self.qubits:
                raise InputError(f"{name}={getattr(self, name)} are more than qubits={self.qubits}")

    @property
    def sizes(self) -> Sizes:
        """Steps → values of them, a row for each that is read."""
        read = self.tokens if self.every_step else 1
        parameters = self.latent * (self.inputs + 1)
        parameters += (self.latent + 1) * (self.repetitions + self.qubits)
        return Sizes((self.tokens, self.inputs), (read, self.outputs), parameters, rows=read)


class Programmer(SizedCore):
    """What circuit and twin share: the slow network, and which steps are read."""

    def __init__(self, config: FastWeightsConfig) -> None:
        """Create the slow network."""
        super().__init__(config)
        self.slow = WideLinear(config.inputs, config.latent)
        self.layers = WideLinear(config.latent, config.repetitions)
        self.qubits = WideLinear(config.latent, config.qubits)

    def circuit_parameters(self) -> list[Tensor]:
        """The slow network: what it makes is all that the circuit has."""
        maps = (self.slow, self.layers, self.qubits)
        return [parameter for one in maps for parameter in one.parameters()]

    def program(self, steps: Tensor) -> Tensor:
        """Angles at every step, ``(…, T, repetitions, n)``."""
        latent = self.slow(steps)
        changes: Tensor = self.layers(latent)[..., :, None] * self.qubits(latent)[..., None, :]
        return changes.cumsum(-3)

    @abstractmethod
    def fast(self, steps: Tensor, program: Tensor) -> Tensor:
        """Values ``(…, outputs)`` of steps ``(…, inputs)`` by their angles."""

    def values(self, samples: Tensor) -> Tensor:
        """Values of all steps, or of the last."""
        steps = widened(samples)
        program = self.program(steps)
        first = 0 if self.config.every_step else -1
        return self.fast(steps[..., first:, :], program[..., first:, :, :]).to(samples.dtype)


@zoo_block("fast-weights")
class FastWeights(Programmer, Core):
    """Series ``(…, T, inputs)`` in radians → ⟨Z⟩ ``(…, T or 1, outputs)``."""

    config_class = FastWeightsConfig

    def __init__(self, config: FastWeightsConfig) -> None:
        """Build the circuit."""
        super().__init__(config)
        self.layer = QuantumLayer(_network(config))

    @classmethod
    def twin(cls, config: Any) -> SizedCore:
        """The same slow network with another fast one."""
        return TanhFastWeights(config)

    def fast(self, steps: Tensor, program: Tensor) -> Tensor:
        """⟨Z⟩ of the first qubits."""
        read: Tensor = self.layer(torch.cat([steps, program.flatten(-2)], dim=-1))
        return read


class TanhFastWeights(Programmer):
    """Layers h ← tanh(h + h of the neighbour before + θ), where h begins as the step's features."""

    def fast(self, steps: Tensor, program: Tensor) -> Tensor:
        """The first numbers of the last layer."""
        state = F.pad(steps, (0, self.config.qubits - steps.shape[-1]))
        for offsets in program.unbind(-2):
            state = torch.tanh(state + state.roll(1, dims=-1) + offsets)
        return state[..., : self.config.outputs]


def _network(config: FastWeightsConfig) -> EstimatorQNN:
    n = config.qubits
    features = list(ParameterVector("x", config.inputs))
    angles = list(ParameterVector("a", n * config.repetitions))
    circuit = QuantumCircuit(n)
    circuit.h(range(n))
    for qubit, feature in enumerate(features):
        circuit.ry(feature, qubit)
    for layer in range(config.repetitions):
        for control in [*range(0, n - 1, 2), *range(1, n - 1, 2)]:
            circuit.cx(control, control + 1)
        for qubit in range(n):
            circuit.ry(angles[n * layer + qubit], qubit)
    return make_qnn(circuit, features + angles, [], z_observables(n)[: config.outputs])
