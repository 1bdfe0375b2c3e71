r"""The learned gate between a block's quantum (or twin) path and the classical path beside it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.quantum.torch_support.single_precision import AtLeastSingle

GATES = ("scalar", "channel")
HUGE = 1e9
"""Beyond this, what keeps a norm from being zero is too small to be seen in it."""


class ExpectationReadout(nn.Linear):
    """Expectation values ``(…, n)`` → channels ``(…, width)``, of unit variance at the start.

    ⟨Z⟩ of a random circuit has a standard deviation of about 0.3 (measured on both blocks at 4
    qubits), so plain weights would start the quantum path far below the classical one.
    """

    @property
    def initial_std(self) -> float:
        """Standard deviation of the weights at the start."""
        return 1 / (0.3 * math.sqrt(self.in_features))

    def reset_parameters(self) -> None:
        """Draw new weights; the bias starts at zero."""
        nn.init.normal_(self.weight, mean=0.0, std=self.initial_std)
        nn.init.zeros_(self.bias)


class GatedResidual(AtLeastSingle):
    r"""γ·q + (1-γ)·norm(x) with γ = σ(a), *a* learned: one number per block, or one per channel.

    After the "adaptive quantum routing" of the Hybrid-QVLM README. Our reading: one scalar per
    block; the classical path x is brought to zero mean and unit variance over its channels (no
    learned scale), because otherwise the network can grow x instead of closing the gate and γ
    says nothing about how much each path contributes.
    """

    def __init__(self, kind: str, width: int, initial: float = 0.5) -> None:
        """Create the gate.

        Args:
            kind: ``"scalar"`` or ``"channel"``.
            width: Channels of q and x.
            initial: γ before training, in (0, 1).

        Raises:
            UnknownNameError: Another kind.
            InputError: ``initial`` outside (0, 1).
        """
        super().__init__()
        if kind not in GATES:
            raise UnknownNameError("gate", kind, GATES)
        if not 0 < initial < 1:
            raise InputError(f"a gate starts between 0 and 1, got {initial}")
        self.initial_logit = math.log(initial / (1 - initial))
        size = 1 if kind == "scalar" else width
        self.logit = nn.Parameter(torch.full((size,), self.initial_logit))

    @property
    def value(self) -> Tensor:
        """γ, ``(1,)`` or ``(width,)``."""
        return torch.sigmoid(self.logit)

    def forward(self, quantum: Tensor, classical: Tensor) -> Tensor:
        """Blend two tensors ``(…, width)``."""
        gamma = self.value.to(classical.dtype)
        return gamma * quantum + (1 - gamma) * normalised(classical)


def normalised(values: Tensor) -> Tensor:
    """Rows of any size, ``(…, width)``, brought to zero mean and unit variance."""
    return F.layer_norm(_of_moderate_size(values), values.shape[-1:])


def gate_values(module: nn.Module) -> dict[str, float]:
    """γ of every gate in a module by its block ("qcnn", …), the mean where it is per channel."""
    return {
        name.removesuffix(".gate").rsplit(".", 1)[-1]: float(gate.value.detach().mean())
        for name, gate in module.named_modules()
        if isinstance(gate, GatedResidual)
    }


def _of_moderate_size(values: Tensor) -> Tensor:
    """Rows that can be squared and summed: huge ones divided by their largest entry."""
    largest = values.detach().abs().amax(dim=-1, keepdim=True)
    return values / torch.where(largest > HUGE, largest, torch.ones_like(largest))
