"""Searches in a pool of circuits whose values are asked for one at a time.

Searches in an embedding propose a point, and the nearest circuit that was not asked for yet is
asked. What they are compared with asks for circuits at random.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern, WhiteKernel
from torch import nn

Floats = npt.NDArray[np.float64]
BATCH = 16
"""Circuits per policy step."""
BASELINE, BASELINE_DECAY = 0.5, 0.7
POLICY_RATE = 0.01
FIRST = 16
"""Random circuits that a Bayesian search begins with."""
ROUND = 8
"""Circuits that it asks for between two fits."""
NOISE = 1e-3


def random_search(values: Floats, budget: int, rng: np.random.Generator) -> list[int]:
    """Circuits in random order.

    Args:
        values: Of all circuits; not looked at.
        budget: How many are asked for.
        rng: Of the order.
    """
    return [int(i) for i in rng.permutation(len(values))[:budget]]


def reinforce(values: Floats, budget: int, rng: np.random.Generator, points: Floats) -> list[int]:
    """A recurrent policy whose actions are points of the embedding, trained by REINFORCE.

    Args:
        values: Of all circuits.
        budget: How many are asked for.
        rng: Of everything random.
        points: Embeddings, ``(circuits, width)``, columns of variance 1.
    """
    seed = int(rng.integers(2**31))
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        cell, head = nn.LSTMCell(points.shape[1], 64), nn.Linear(64, points.shape[1])
    adam = torch.optim.Adam([*cell.parameters(), *head.parameters()], lr=POLICY_RATE)
    asked: list[int] = []
    baseline = BASELINE
    place = torch.from_numpy(points[int(rng.integers(len(points)))][None]).float()
    while len(asked) < budget:
        state, terms = None, []
        for _ in range(min(BATCH, budget - len(asked))):
            state = cell(place, state)
            mean = head(state[0])
            action = mean.detach() + torch.randn(mean.shape, generator=generator)
            asked.append(_nearest(points, action.double().numpy()[0], asked))
            place = torch.from_numpy(points[asked[-1]][None]).float()
            likelihood = -(action - mean).square().sum() / 2
            terms.append(-(values[asked[-1]] - baseline) * likelihood)
            baseline = BASELINE_DECAY * baseline + (1 - BASELINE_DECAY) * values[asked[-1]]
        adam.zero_grad()
        torch.autograd.backward(torch.stack(terms).mean())
        adam.step()
        place = place.detach()
    return asked


def bayesian(values: Floats, budget: int, rng: np.random.Generator, points: Floats) -> list[int]:
    """Expected improvement under a Gaussian process with a Matérn kernel on the embedding.

    Args:
        values: Of all circuits.
        budget: How many are asked for.
        rng: Of the first ones.
        points: Embeddings, ``(circuits, width)``, columns of variance 1.
    """
    scale = float(np.median(np.linalg.norm(points - points.mean(0), axis=1)))
    kernel = Matern(length_scale=max(scale, 1e-3), nu=2.5) + WhiteKernel(NOISE)
    asked = random_search(values, min(FIRST, budget), rng)
    while len(asked) < budget:
        known = values[asked]
        process = GaussianProcessRegressor(kernel, optimizer=None, normalize_y=known.std() > 0)
        process.fit(points[asked], known)
        mean, deviation = process.predict(points, return_std=True)
        gain = mean - known.max()
        ratio = gain / np.maximum(deviation, 1e-12)
        improvement = gain * norm.cdf(ratio) + deviation * norm.pdf(ratio)
        improvement[asked] = -np.inf
        best = np.argsort(-improvement)[: min(ROUND, budget - len(asked))]
        asked += [int(i) for i in best]
    return asked


def _nearest(points: Floats, point: Floats, asked: list[int]) -> int:
    far = ((points - point) ** 2).sum(1)
    far[asked] = np.inf
    return int(np.argmin(far))
