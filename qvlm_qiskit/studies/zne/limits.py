r"""Values at several error probabilities, extrapolated to none.

The fits are those that every text on zero-noise extrapolation compares; Richardson's is the
polynomial through all points, the exponential :math:`a e^{-bp}`, with :math:`b ≥ 0`. The network
(arXiv:2403.07025) is one tanh layer from p to E(p) that is read at p = 0, outside of all points it
was trained on: nothing but its initial values decides what it does there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize_scalar
from torch import nn

Floats = npt.NDArray[np.float64]
LEARNING_RATE = 0.01
STEEPEST = 2.0
"""The largest b·p of the least noisy value: at least e⁻² of the signal is there."""


def fitted_limits(strengths: Sequence[float], values: Sequence[float]) -> dict[str, float]:
    """What needs no network: the least noisy value itself, and three fits.

    Args:
        strengths: Error probabilities, ascending.
        values: At each of them.
    """
    p, e = np.asarray(strengths, dtype=float), np.asarray(values, dtype=float)
    return {
        "none": float(e[0]),
        "linear": float(np.polyfit(p, e, 1)[-1]),
        "exponential": _exponential(p, e),
        "richardson": float(np.polyfit(p / p[-1], e, len(p) - 1)[-1]),
    }


def network_limits(
    strengths: Sequence[float], values: Sequence[float], seeds: Sequence[int], hidden: int,
    steps: int,
) -> list[float]:  # fmt: skip
    """What networks that were trained on all points say of p = 0.

    Args:
        strengths: Error probabilities; divided by the largest they are the inputs.
        values: At each of them.
        seeds: Of the initial values, one per network.
        hidden: Width of the layer.
        steps: Of Adam, on all points.
    """
    p = torch.tensor([*strengths, 0.0], dtype=torch.float64)[:, None] / max(strengths)
    e = torch.tensor(values, dtype=torch.float64)[:, None]
    # all networks in one batch: their losses are added, so that none is in another's gradient
    weights = [one.requires_grad_() for one in _initial(seeds, hidden)]
    first, shift, second, constant = weights
    adam = torch.optim.Adam(weights, lr=LEARNING_RATE)
    for _ in range(steps):
        adam.zero_grad()
        found = torch.tanh(p[:-1] * first + shift) @ second + constant
        torch.autograd.backward((found - e).square().mean(1).sum())
        adam.step()
    with torch.no_grad():
        limits = torch.tanh(p[-1:] * first + shift) @ second + constant
    return [float(one) for one in limits.flatten()]


def _initial(seeds: Sequence[int], hidden: int) -> list[torch.Tensor]:
    """Torch's own initial values of one network per seed, stacked."""
    drawn = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            one, two = nn.Linear(1, hidden).double(), nn.Linear(hidden, 1).double()
        drawn.append((one.weight.mT, one.bias[None], two.weight.mT, two.bias[None]))
    return [torch.stack(parts).detach() for parts in zip(*drawn, strict=True)]


def _exponential(p: Floats, e: Floats) -> float:
    """The a of the least squares of a·exp(-bp): for each b it is linear in a."""

    def amplitude(rate: float) -> float:
        decay = np.exp(-rate * p)
        return float(decay @ e / (decay @ decay))

    def rest(rate: float) -> float:
        return float(np.sum((e - amplitude(rate) * np.exp(-rate * p)) ** 2))

    grid = np.linspace(0, STEEPEST / p[0], 401)
    best = int(np.argmin([rest(rate) for rate in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    return amplitude(float(minimize_scalar(rest, bounds=(low, high), method="bounded").x))
