r"""A Kolmogorov–Arnold network of one-qubit circuits, QKAN (Jiang et al., arXiv:2509.14026).

Every edge from an input to an output has a function of its own, DARUAN: ⟨Z⟩ of a qubit that takes
the input again and again, H; repetitions of RZ(θ), RY(θ), RZ(w x + b); RZ(θ), RY(θ). An output is
the sum over its edges of v·⟨Z⟩ + s·SiLU(x).

Without trained scales ⟨Z⟩ is a trigonometric polynomial in x, of a degree as high as there are
repetitions: exact values come from a linear map of sines and cosines, made of the circuits' values
at 2r + 1 points. So a layer is a network of Fourier features whose coefficients are tied.

What of the published code (qkan 0.2.3) is not copied: by default it reads |α| - |β|, which is no
expectation value and can't be measured; here ⟨Z⟩ = |α|² - |β|² is read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor, nn

from qvlm_qiskit.blocks.zoo.block import zoo_block
from qvlm_qiskit.blocks.zoo.core import Core, CoreConfig, Limits, SizedCore, Sizes
from qvlm_qiskit.blocks.zoo.twins import MatchedNetwork
from qvlm_qiskit.quantum import QuantumLayer, make_qnn
from qvlm_qiskit.quantum.encoding import widened


@dataclass(frozen=True)
class QKANConfig(CoreConfig):
    """Sizes of a layer.

    Attributes:
        inputs: Features.
        outputs: Values; every pair of the two is a circuit of its own.
        repetitions: How often a circuit takes its input.
        scaled: Whether each time has a trained scale w and offset b (the source's
            ``preact_trainable``, off by default there too).
    """

    inputs: int = 4
    outputs: int = 4
    repetitions: int = 3
    scaled: bool = False

    limits: ClassVar[Limits] = {"inputs": (1, 4096), "outputs": (1, 4096), "repetitions": (1, 100)}

    @property
    def sizes(self) -> Sizes:
        """Features → values, a row for every edge."""
        edges = self.inputs * self.outputs
        each = 2 * (self.repetitions + 1) + 2 + 2 * self.repetitions * self.scaled
        return Sizes((self.inputs,), (self.outputs,), edges * each, rows=edges)


@zoo_block("qkan")
class QKAN(Core):
    """Features ``(…, inputs)`` → sums over edges ``(…, outputs)``, which are not bounded."""

    config_class = QKANConfig

    def __init__(self, config: QKANConfig) -> None:
        """Create the circuits of all edges."""
        super().__init__(config)
        edges = (config.outputs, config.inputs)
        self.edges = QuantumLayer(_network(config), groups=math.prod(edges))
        self.scale = nn.Parameter(torch.empty(edges))
        self.base = nn.Parameter(torch.empty(edges))
        uploads = (*edges, config.repetitions if config.scaled else 0)
        self.input_scale = nn.Parameter(torch.empty(uploads))
        self.input_offset = nn.Parameter(torch.empty(uploads))
        self.reset_parameters()

    @classmethod
    def twin(cls, config: Any) -> SizedCore:
        """A network whose outputs are not bounded either."""
        return MatchedNetwork(config)

    def reset_parameters(self, init: Any = nn.init) -> None:
        """Start as the source does, angles by Xavier's rule."""
        init.ones_(self.scale)
        init.constant_(self.base, 0.5)
        init.ones_(self.input_scale)
        init.zeros_(self.input_offset)
        angles = 2 * (self.config.repetitions + 1)
        std = math.sqrt(2 / (self.config.inputs + self.config.outputs * angles))
        init.normal_(self.edges.weight, std=std)

    def circuit_parameters(self) -> list[Tensor]:
        """The circuits' angles, and what makes angles of inputs."""
        return [self.edges.weight, self.input_scale, self.input_offset]

    def values(self, samples: Tensor) -> Tensor:
        """Sums over the edges."""
        x = widened(samples)
        scale, base = self.scale.to(x.dtype), self.base.to(x.dtype)
        if self.closed_form and not self.config.scaled:
            sums = self._by_frequencies(x, scale)
        else:
            values = self._in_closed_form(x) if self.closed_form else self._by_circuits(x)
            sums = (scale * values).sum(-1)
        return (sums + F.silu(x) @ base.mT).to(samples.dtype)

    def _uploads(self, x: Tensor) -> Tensor:
        """Angles that depend on inputs, ``(…, outputs, inputs, 1 or repetitions)``."""
        angles = x[..., None, :, None]
        if self.config.scaled:
            return self.input_scale.to(x.dtype) * angles + self.input_offset.to(x.dtype)
        return angles.expand(*x.shape[:-1], *self.scale.shape, 1)

    def _by_circuits(self, x: Tensor) -> Tensor:
        """⟨Z⟩ of every edge, ``(…, outputs, inputs)``."""
        found: Tensor = self.edges(self._uploads(x).flatten(-3, -2))
        return found[..., 0].reshape(*x.shape[:-1], *self.scale.shape)

    def _in_closed_form(self, x: Tensor) -> Tensor:
        """The same, on the Bloch sphere."""
        uploads = self._uploads(x).expand(*x.shape[:-1], *self.scale.shape, self.config.repetitions)
        return bloch_z(self._angles(x.dtype), uploads)

    def _angles(self, dtype: torch.dtype) -> Tensor:
        return self.edges.weight.to(dtype).view(*self.scale.shape, -1)

    def _by_frequencies(self, x: Tensor, scale: Tensor) -> Tensor:
        """The sums of scaled ⟨Z⟩ ``(…, outputs)``, as a linear map of sines and cosines."""
        degree = self.config.repetitions
        points = torch.arange(2 * degree + 1, dtype=x.dtype, device=x.device)
        points = points * (2 * math.pi / (2 * degree + 1))
        angles = self._angles(x.dtype)[..., None, :]  # (o, i, 1, angles)
        at_points = bloch_z(angles, points[:, None].expand(-1, degree))  # (o, i, points)
        coefficients = scale[..., None] * (at_points @ _waves(points, degree)) * _norms(points)
        return _waves(x, degree).flatten(-2) @ coefficients.flatten(-2).mT


def hqkan(inputs: int, outputs: int, **options: Any) -> nn.Sequential:
    """HQKAN: a linear map to few features, a layer of circuits between them, a linear map.

    Args:
        inputs: Features.
        outputs: Values.
        options: Others of :class:`QKANConfig`; the layer goes from ⌈log₂ inputs⌉ to as many.
    """
    few = max(1, (inputs - 1).bit_length())
    core = QKAN.made(QKANConfig(inputs=few, outputs=few, **options))
    return nn.Sequential(nn.Linear(inputs, few), core, nn.Linear(few, outputs))


def bloch_z(angles: Tensor, uploads: Tensor) -> Tensor:
    """⟨Z⟩ of H; for each upload RZ, RY by two angles and RZ by the upload; RZ, RY at the end.

    Args:
        angles: ``(…, 2 (r + 1))``.
        uploads: ``(…, r)``; both broadcast.
    """
    z, y = angles[..., ::2], angles[..., 1::2]
    a, b = torch.cos(z[..., 0]), torch.sin(z[..., 0])  # H has put it onto the x axis
    a, c = torch.cos(y[..., 0]) * a, -torch.sin(y[..., 0]) * a
    for upload in range(uploads.shape[-1]):
        turn = uploads[..., upload] + z[..., upload + 1]  # both RZ that follow
        a, b = _turned(turn, a, b)
        c, a = _turned(y[..., upload + 1], c, a)
    return c


def _turned(angle: Tensor, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    cosine, sine = torch.cos(angle), torch.sin(angle)
    return cosine * one - sine * other, sine * one + cosine * other


def _waves(x: Tensor, degree: int) -> Tensor:
    """1, cosines and sines of all multiples of x: ``(…)`` → ``(…, 2 degree + 1)``."""
    multiples = x[..., None] * torch.arange(1, degree + 1, dtype=x.dtype, device=x.device)
    ones = torch.ones_like(x)[..., None]
    return torch.cat([ones, torch.cos(multiples), torch.sin(multiples)], dim=-1)


def _norms(points: Tensor) -> Tensor:
    """What makes coefficients of sums over the points."""
    norms = torch.full_like(points, 2 / len(points))
    norms[0] = 1 / len(points)
    return norms


def _network(config: QKANConfig) -> EstimatorQNN:
    uploads = list(ParameterVector("x", config.repetitions if config.scaled else 1))
    angles = list(ParameterVector("w", 2 * (config.repetitions + 1)))
    circuit = QuantumCircuit(1)
    circuit.h(0)
    for step in range(config.repetitions + 1):
        circuit.rz(angles[2 * step], 0)
        circuit.ry(angles[2 * step + 1], 0)
        if step < config.repetitions:
            circuit.rz(uploads[step % len(uploads)], 0)
    return make_qnn(circuit, uploads, angles)
