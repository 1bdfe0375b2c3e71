"""What a built peer can do, and the runner that all torch-based peers share."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from workloads import Data


class Arrays(NamedTuple):
    """Outputs ``(B, n)`` and gradients of ``(outputs · cotangent).sum()``."""

    outputs: npt.NDArray[np.float64]
    input_gradient: npt.NDArray[np.float64]
    weight_gradient: npt.NDArray[np.float64]


class Runner(Protocol):
    """One circuit in one framework, with its batch at hand."""

    def forward(self) -> object:
        """Outputs only, without recording anything for gradients; returns when they are there."""

    def both(self) -> object:
        """Outputs and the gradients of inputs and weights; returns when they are there."""

    def arrays(self) -> Arrays:
        """What :meth:`both` computes, as numpy arrays."""


class TorchRunner:
    """A differentiable torch function of inputs, with the weights among its leaves."""

    def __init__(
        self,
        evaluate: Callable[[Tensor], Tensor],
        weights: Sequence[Tensor],
        data: Data,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Keep leaves.

        Args:
            evaluate: ``(B, num_inputs)`` → ``(B, n)``.
            weights: Leaves that require a gradient; concatenated they are the weights in order.
            data: The batch.
            device: Where ``evaluate`` and the weights are.
            dtype: Of the inputs.
        """
        self._evaluate = evaluate
        self._inputs = torch.tensor(data.inputs, device=device, dtype=dtype, requires_grad=True)
        self._leaves = [self._inputs, *weights]
        self._cotangent = torch.tensor(data.cotangent, device=device, dtype=dtype)

    def forward(self) -> Tensor:
        """See :class:`Runner`."""
        with torch.no_grad():
            outputs: Tensor = self._evaluate(self._inputs)
            return outputs

    def both(self) -> tuple[Tensor, tuple[Tensor, ...]]:
        """See :class:`Runner`."""
        outputs = self._evaluate(self._inputs)
        return outputs, torch.autograd.grad(outputs, self._leaves, self._cotangent.to(outputs))

    def arrays(self) -> Arrays:
        """See :class:`Runner`."""
        return self.as_arrays(self.both())

    @staticmethod
    def as_arrays(results: tuple[Tensor, tuple[Tensor, ...]]) -> Arrays:
        """Results of :meth:`both` as numpy arrays."""
        outputs, (inputs, *weights) = results
        weight = torch.cat([w.reshape(-1) for w in weights])
        return Arrays(*(t.detach().double().cpu().numpy() for t in (outputs, inputs, weight)))

    def compiled(self) -> TorchRunner:
        """The same function through ``torch.compile``, on the same leaves."""
        other = copy.copy(self)
        other._evaluate = torch.compile(self._evaluate)  # noqa: SLF001
        return other


def unit_rows(features: Tensor) -> Tensor:
    """Rows of unit norm: what amplitude encoding asks for, outside the framework."""
    rows: Tensor = features / torch.linalg.vector_norm(features, dim=-1, keepdim=True)
    return rows


def z_signs(num_qubits: int) -> npt.NDArray[np.float32]:
    """⟨Z⟩ of qubit q is probabilities @ column q: ``(2**n, n)`` of ±1."""
    bits = np.arange(2**num_qubits)[:, None] >> np.arange(num_qubits) & 1
    signs: npt.NDArray[np.float32] = (1 - 2 * bits).astype(np.float32)
    return signs
