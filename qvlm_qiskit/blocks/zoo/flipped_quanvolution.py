r"""Flipped quanvolution (Wang et al., arXiv:2409.17583): patches are observables of trained states.

A patch of 3 × 3 pixels, padded to 4 × 4 and made symmetric, is an observable H, and
:math:`|ψ⟩ = \exp(i Σ_P θ_P P)|00⟩` has 15 angles for every pair of channels. The value
⟨ψ|H|ψ⟩ is the sum of the patch times Re ψψ†: **this is a convolution**, whose kernels are
symmetric, positive, of rank two at most and of trace one at most. So states are prepared once for
all patches.

What of the source is not copied: a state is not measured anew for each patch, and the "flipped"
order of data and weights is not called a quantum advantage: the layer can do less than an ordinary
convolution, which is its twin.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from qiskit.circuit import ParameterVector, QuantumCircuit
from qiskit.quantum_info import Pauli, SparsePauliOp, pauli_basis
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor, nn
from torch.compiler import is_compiling

from qvlm_qiskit.blocks.zoo.block import zoo_block
from qvlm_qiskit.blocks.zoo.core import Core, CoreConfig, Limits, Published, SizedCore, Sizes
from qvlm_qiskit.quantum import HamiltonianEvolution, QuantumLayer, make_qnn
from qvlm_qiskit.quantum.torch_support.memory_view import memory_view
from qvlm_qiskit.quantum.torch_support.transforms import (
    differentiable_gradients,
    may_leave_torch,
    require_single,
)

ANGLES = 15
"""Of a state of two qubits."""
REAL = [label for label in pauli_basis(2).to_labels() if label.count("Y") != 1]
"""Pauli strings whose matrices are real: the others see nothing of Re ψψ†."""


@dataclass(frozen=True)
class FlippedQuanvolutionConfig(CoreConfig):
    """Sizes of the convolution.

    Attributes:
        channels: Of the images.
        kernels: Channels that come out.
        side: Of the images, in pixels; what comes out is two pixels smaller.
    """

    channels: int = 1
    kernels: int = 4
    side: int = 8

    limits: ClassVar[Limits] = {"channels": (1, 4096), "kernels": (1, 4096), "side": (3, 4096)}

    @property
    def sizes(self) -> Sizes:
        """Images → maps; a machine prepares each state once for a whole call."""
        states, after = self.channels * self.kernels, self.side - 2
        return Sizes(
            (self.channels, self.side, self.side),
            (self.kernels, after, after),
            ANGLES * states + self.kernels,
            rows=0,
            shared_rows=states,
        )


class Convolution(SizedCore):
    """A convolution with the mean over the channels; what its kernels are, says a subclass."""

    def __init__(self, config: FlippedQuanvolutionConfig) -> None:
        """Create the offsets."""
        super().__init__(config)
        self.bias = nn.Parameter(torch.zeros(config.kernels))

    @abstractmethod
    def kernels(self) -> Tensor:
        """``(kernels, channels, 3, 3)``."""

    def values(self, samples: Tensor) -> Tensor:
        """Maps of images."""
        lead = samples.shape[:-3]
        images = samples.reshape(-1, *samples.shape[-3:]) if len(lead) != 1 else samples
        kernels = self.kernels().to(samples.dtype)
        if self.config.channels > 1:
            kernels = kernels / self.config.channels
        maps = F.conv2d(images, kernels, self.bias.to(samples.dtype))
        return maps.reshape(*lead, *maps.shape[1:])

    def reset_parameters(self, init: Any = nn.init) -> None:
        """Offsets start at zero."""
        init.zeros_(self.bias)


@zoo_block("flipped-quanvolution")
class FlippedQuanvolution(Convolution, Core):
    """Images ``(…, C, s, s)`` → maps ``(…, K, s - 2, s - 2)``."""

    config_class = FlippedQuanvolutionConfig
    published = (
        Published(
            figure="92.25 %",
            what="test accuracy on MNIST with two such layers; 92.07 % with plain convolutions",
            source="arXiv:2409.17583, tables of the authors' code for equinox",
            comparable=False,
            why="other data, whole images, 32 and 16 kernels without activations between",
        ),
    )

    def __init__(self, config: FlippedQuanvolutionConfig) -> None:
        """Create the circuit of all states."""
        super().__init__(config)
        self.layer = QuantumLayer(_network(), groups=config.kernels * config.channels)

    @classmethod
    def twin(cls, config: Any) -> SizedCore:
        """An ordinary convolution of as many numbers."""
        return OrdinaryConvolution(config)

    def kernels(self) -> Tensor:
        """Re ψψ† without its last row and column: of exact states, or of what machines measure."""
        if self.closed_form:
            made = state_kernels(self.layer.weight)
            return made.view(self.config.kernels, self.config.channels, 3, 3)
        read = self.layer().reshape(self.config.kernels, self.config.channels, len(REAL))
        strings = torch.as_tensor(_strings(), dtype=read.dtype, device=read.device)
        return torch.einsum("kcp,pij->kcij", read, strings)


def state_kernels(weight: Tensor) -> Tensor:
    """Re ψψ† of exact states without its last row and column.

    Args:
        weight: The angles of G states, ``(G, 15)``.

    Returns:
        ``(G, 3, 3)`` of the angles' dtype.
    """
    if not is_compiling() and may_leave_torch(weight) and bool(weight.detach().isfinite().all()):
        return cast(Tensor, _StateKernels.apply(weight))  # type: ignore[no-untyped-call]
    return _by_exponentials(weight)


def _by_exponentials(weight: Tensor) -> Tensor:
    """The same in torch operations, which have derivatives of any order."""
    generators = weight.to(weight.dtype.to_complex()) @ _generators(weight)
    states = torch.matrix_exp(generators.view(-1, 4, 4))[:, :3, 0]
    return (states[:, :, None] * states[:, None].conj()).real


class _StateKernels(torch.autograd.Function):
    """Both ways in one node, by eigenvectors.

    ``torch.matrix_exp`` takes three times as long, most of it on the way back. The derivatives are
    those of :mod:`~qvlm_qiskit.quantum.statevector.tensors.evolutions`.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        hamiltonians = memory_view(weight.detach().double()) @ _strings_of_angles()
        levels, vectors = np.linalg.eigh(hamiltonians.reshape(-1, 4, 4))
        half = np.exp(0.5j * levels)
        start = half * vectors[:, 0].conj()
        states = (vectors[:, :3] @ (half * start)[..., None])[..., 0]
        ctx.found = levels, vectors, half, start, states
        made = states[:, :, None] * states[:, None].conj()
        return torch.from_numpy(made.real.copy()).to(weight.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        require_single(grad)
        (weight,) = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True
            (found,) = differentiable_gradients(_by_exponentials(weight), [weight], [True], grad)
            return cast(Tensor, found)
        levels, vectors, half, start, states = ctx.found
        both = memory_view(grad.double())
        by_states = (both + both.swapaxes(1, 2)) @ states[..., None]
        left = (by_states.conj().swapaxes(1, 2) @ vectors[:, :3])[:, 0] * half
        gaps = (levels[:, :, None] - levels[:, None]) / (2 * np.pi)
        own = 1j * np.sinc(gaps) * left[:, :, None] * start[:, None]
        by_hamiltonians = vectors.conj() @ own @ vectors.swapaxes(1, 2)
        found = (by_hamiltonians.reshape(len(levels), 16) @ _strings_of_angles().T).real
        return torch.from_numpy(found).to(weight.dtype)


class OrdinaryConvolution(Convolution):
    """Kernels of 9 + 6 numbers: W + A Aᵀ, W any 3 × 3 matrix and A one of two columns."""

    def __init__(self, config: FlippedQuanvolutionConfig) -> None:
        """Create the kernels."""
        super().__init__(config)
        shape = (config.kernels, config.channels)
        self.any = nn.Parameter(torch.empty(*shape, 3, 3))
        self.positive = nn.Parameter(torch.empty(*shape, 3, 2))
        self.reset_parameters()

    def reset_parameters(self, init: Any = nn.init) -> None:
        """Of a trace of about one, as the states' kernels."""
        super().reset_parameters(init)
        init.normal_(self.any, std=0.2)
        init.normal_(self.positive, std=0.4)

    def kernels(self) -> Tensor:
        """W + A Aᵀ."""
        return self.any + self.positive @ self.positive.mT


def _generators(like: Tensor) -> Tensor:
    """The strings of the angles, times the imaginary unit, ``(15, 16)``."""
    return torch.as_tensor(
        1j * _strings_of_angles(), dtype=like.dtype.to_complex(), device=like.device
    )


@cache
def _strings_of_angles() -> Any:
    """The strings of the angles, ``(15, 16)``."""
    return np.stack([string.to_matrix().ravel() for string in pauli_basis(2)[1:]])


@cache
def _strings() -> Any:
    """The real strings over 4, without the last row and column, ``(10, 3, 3)``."""
    return np.stack([Pauli(label).to_matrix().real[:3, :3] / 4 for label in REAL])


def _network() -> EstimatorQNN:
    angles = ParameterVector("t", ANGLES)
    factors = dict(zip(pauli_basis(2).to_labels()[1:], angles, strict=True))
    circuit = QuantumCircuit(2)
    circuit.append(HamiltonianEvolution(factors, -1.0), [0, 1])
    return make_qnn(circuit, [], list(angles), [SparsePauliOp(label) for label in REAL])
