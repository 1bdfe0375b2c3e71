"""A variational autoencoder of circuits' graphs (arXiv:2401.11576, after arXiv:2006.06936).

The encoder is a graph isomorphism network of five steps; each node has a latent vector. Kinds and
qubits are read from it by a linear map, edges from inner products. A circuit's embedding is the
mean of its nodes' vectors.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from qvlm_qiskit.studies.search.circuits import KINDS, Graphs

HOPS = 5
HIDDEN = 128
LATENT = 16
DROPOUT = 0.3
BATCH = 32
LEARNING_RATE = 1e-3
KL_WEIGHT = 5e-3
HELD_OUT = 10
"""Every tenth circuit is held out, to count what is reconstructed."""


class CircuitAutoencoder(nn.Module):
    """Graphs → latent vectors of nodes → graphs.

    Args:
        features: Width of a node's features.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        widths = [features, *[HIDDEN] * HOPS]
        self.steps = nn.ModuleList(
            nn.Sequential(
                nn.Linear(one, two), nn.ReLU(), nn.Linear(two, two), nn.LayerNorm(two), nn.ReLU()
            )
            for one, two in pairwise(widths)
        )
        self.own = nn.Parameter(torch.zeros(HOPS))
        self.drop = nn.Dropout(DROPOUT)
        self.mean, self.log_variance = nn.Linear(HIDDEN, LATENT), nn.Linear(HIDDEN, LATENT)
        self.back = nn.Linear(LATENT, features)
        self.wires = nn.Linear(LATENT, LATENT, bias=False)
        self.offset = nn.Parameter(torch.zeros(()))

    def encode(self, features: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
        """Means and logarithms of variances, ``(…, nodes, LATENT)``."""
        both, x = edges + edges.mT, features
        for step, own in zip(self.steps, self.own, strict=True):
            found = step((1 + own) * x + both @ x)
            # without its own features carried on, five steps later a node is any of its neighbours
            x = found + x if found.shape == x.shape else found
        x = self.drop(x)
        return self.mean(x), self.log_variance(x)

    def decode(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of features and of edges."""
        wires = self.wires(latent)
        return self.back(latent), wires @ wires.mT + self.offset

    def loss(self, features: Tensor, edges: Tensor) -> Tensor:
        """Cross entropies of features and edges, and the divergence from a normal distribution."""
        mean, log_variance = self.encode(features, edges)
        latent = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        kinds, wires = self.decode(latent)
        divergence = (mean.square() + log_variance.exp() - log_variance - 1) / 2
        both = edges + edges.mT
        # a node has no wire to itself, while its inner product with itself is never negative
        apart = ~torch.eye(edges.shape[-1], dtype=torch.bool)
        parts = (
            _entropy(kinds, features),
            _entropy(wires[:, apart], both[:, apart]),
            KL_WEIGHT * divergence.sum((1, 2)),
        )
        return torch.stack(parts).sum(0).mean()


def _entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    """Summed over all but the first dimension."""
    entropy = nn.functional.binary_cross_entropy_with_logits
    return entropy(logits, wanted, reduction="none").flatten(1).sum(1)


def make_encoder(features: int, seed: int) -> CircuitAutoencoder:
    """An untrained autoencoder of a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CircuitAutoencoder(features)


def train_encoder(graphs: Graphs, epochs: int, seed: int) -> tuple[CircuitAutoencoder, float]:
    """A trained autoencoder, and the share of held-out nodes whose kind it reconstructs."""
    features, edges = torch.from_numpy(graphs.features), torch.from_numpy(graphs.edges)
    net = make_encoder(features.shape[-1], seed)
    adam = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    held_out = torch.arange(len(features)) % HELD_OUT == 0
    rows = torch.arange(len(features))[~held_out]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(epochs):
            for batch in torch.split(rows[torch.randperm(len(rows))], BATCH):
                adam.zero_grad()
                torch.autograd.backward(net.loss(features[batch], edges[batch]))
                adam.step()
    net.eval()
    with torch.no_grad():
        kinds, _ = net.decode(net.encode(features[held_out], edges[held_out])[0])
    wanted = features[held_out][..., : len(KINDS)].argmax(-1)
    return net, float((kinds[..., : len(KINDS)].argmax(-1) == wanted).float().mean())


def embeddings(net: CircuitAutoencoder, graphs: Graphs) -> npt.NDArray[np.float64]:
    """Embeddings of circuits, ``(circuits, LATENT)``, each column with variance 1."""
    net.eval()
    with torch.no_grad():
        given: Any = torch.from_numpy(graphs.features), torch.from_numpy(graphs.edges)
        found = net.encode(*given)[0].mean(1).double().numpy()
    return np.asarray((found - found.mean(0)) / np.maximum(found.std(0), 1e-12))
