"""The network of learned zero-noise extrapolation; imported only when it is used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MEMBERS = 8
STEPS = 400
LEARNING_RATE = 2e-2
WEIGHT_DECAY = 1e-3


class ExtrapolationEnsemble(torch.nn.Module):
    """E(0) ≈ Σ_k c_k·v_k + g(Σ_k h(λ_k, v_k)), for a few members at once.

    h is one tanh layer on the pair (noise scale, value), shared by all scales, and g a linear
    layer. c starts at the weights of linear extrapolation and g at zero, so an untrained member is
    linear extrapolation and training learns what that misses.

    Args:
        scales: The K noise scale factors λ.
        weights: The K starting weights c.
        hidden: Width H of the layer.
        seed: Of the initial values and of the bootstrap.
    """

    # models are evaluated in inference mode, in which nothing can be trained
    @torch.inference_mode(False)
    def __init__(
        self, scales: tuple[float, ...], weights: tuple[float, ...], hidden: int, seed: int
    ) -> None:
        super().__init__()
        self._generator = torch.Generator().manual_seed(seed)
        self.scales = torch.tensor(scales, dtype=torch.float64) / max(scales)
        start = torch.tensor(weights, dtype=torch.float64)
        self.linear = torch.nn.Parameter(start.repeat(MEMBERS, 1))  # (E, K)
        self.inward = self._random(MEMBERS, 2, hidden)
        self.shift = self._random(MEMBERS, 1, 1, hidden)
        self.outward = torch.nn.Parameter(torch.zeros(MEMBERS, hidden, dtype=torch.float64))
        self.constant = torch.nn.Parameter(torch.zeros(MEMBERS, 1, dtype=torch.float64))

    def _random(self, *shape: int) -> torch.nn.Parameter:
        drawn = torch.randn(shape, generator=self._generator, dtype=torch.float64)
        return torch.nn.Parameter(drawn)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Extrapolate.

        Args:
            values: (N, K) values, or (E, N, K) with other ones for every member.

        Returns:
            (E, N) limits.
        """
        values = values.expand(MEMBERS, *values.shape[-2:])  # (E, N, K)
        pairs = torch.stack([self.scales.expand_as(values), values], dim=-1)  # (E, N, K, 2)
        hidden = torch.tanh(torch.einsum("enkp,eph->enkh", pairs, self.inward) + self.shift)
        learned = torch.einsum("enkh,eh->en", hidden, self.outward) / values.shape[-1]
        return torch.einsum("enk,ek->en", values, self.linear) + learned + self.constant

    @torch.inference_mode(False)
    def fit(self, values: Floats, exact: Floats) -> None:
        """Train every member on its own bootstrap sample, by full-batch Adam.

        Args:
            values: (C, O, K) noisy values of C circuits and O observables.
            exact: (C, O) exact ones.
        """
        circuits = len(values)
        picks = torch.randint(circuits, (MEMBERS, circuits), generator=self._generator)
        x = torch.as_tensor(values)[picks].flatten(1, 2)  # (E, C·O, K)
        y = torch.as_tensor(exact)[picks].flatten(1, 2)  # (E, C·O)
        optimizer = torch.optim.AdamW(
            self.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        with torch.enable_grad():
            for _ in range(STEPS):
                optimizer.zero_grad()
                loss = ((self(x) - y) ** 2).mean(dim=1).sum()
                loss.backward()
                optimizer.step()
                schedule.step()


@dataclass(frozen=True)
class LearnedLimit:
    """A trained ensemble.

    Attributes:
        network: The members.
        held_out_rms: Root mean square error on circuits that no member saw, by method: "learned",
            "linear", "richardson" and "none".
        held_out_circuits: Their number.
    """

    network: ExtrapolationEnsemble
    held_out_rms: dict[str, float]
    held_out_circuits: int

    @torch.inference_mode(False)
    def limits(self, values: Floats, errors: Floats) -> tuple[Floats, Floats]:
        """Zero-noise limits with standard errors.

        The error is that of the values, through the network's gradient, and the spread of the
        members, which were trained on different circuits.

        Args:
            values: (N, K).
            errors: (N, K) their standard errors.
        """
        with torch.enable_grad():
            x = torch.as_tensor(values).requires_grad_(True)
            members = self.network(x)  # (E, N)
            (slopes,) = torch.autograd.grad(members.mean(dim=0).sum(), x)
        shots = (slopes.numpy() * errors) ** 2
        found = members.detach().numpy()
        return found.mean(axis=0), np.sqrt(shots.sum(axis=1) + found.var(axis=0, ddof=1))
