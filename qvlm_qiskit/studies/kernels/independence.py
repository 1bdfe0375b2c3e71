"""Size and power of conditional independence tests, and graphs that the PC algorithm finds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from qvlm_qiskit.kernels import (
    CopiedKernel,
    GaussianKernel,
    QuantumKernel,
    discover,
    independence_pvalue,
)
from qvlm_qiskit.kernels.independence import Gram

Array = npt.NDArray[np.float64]
Draw = tuple[Array, Array, Array | None]
ALPHA = 0.05
NOISE = 0.5
VARIABLES, EDGES = 5, 0.4
KERNELS = (
    "gaussian", "gaussian x 2",
    "havlicek 2 x 0.1", "resource-efficient 2 x 0.5", "resource-efficient 4 x 0.5",
)  # fmt: skip
"""Copies of each variable and scales of standardised values were chosen with other tables."""
REFERENCE = "gaussian"
FUNCTIONS: tuple[Callable[[Array], Array], ...] = (
    lambda v: v,
    lambda v: np.tanh(2 * v),
    lambda v: np.sin(2 * v),
    lambda v: (v**2 - 1) / np.sqrt(2),
)
CASES = {
    "nothing": "x and y are drawn apart",
    "common cause": "x ← z → y, given z",
    "effect": "x → y",
    "effect and cause": "x ← z → y ← x, given z",
}
NULL = ("nothing", "common cause")
"""Cases without a dependence: what is rejected there is the test's size, elsewhere its power."""


def kernel_of(model: str) -> Gram | None:
    """A kernel by its name in the study; None: causal-learn's, with its empirical width."""
    name, _, scale = model.partition(" x ")
    if not scale:
        return None
    if name == REFERENCE:
        return GaussianKernel(float(scale))
    feature_map, _, copies = name.partition(" ")
    return CopiedKernel(QuantumKernel(feature_map, scale=float(scale)), int(copies))


def rejections(case: str, model: str, samples: int, draws: int, seed: int) -> dict[str, Any]:
    """One row: in how many tables independence is rejected at the level of 5 %.

    All kernels are given the same tables.
    """
    rng = np.random.default_rng([seed, samples, list(CASES).index(case)])
    kernel = kernel_of(model)
    tables = [drawn(case, samples, rng) for _ in range(draws)]
    rejected = sum(independence_pvalue(*one, kernel=kernel) < ALPHA for one in tables)
    return {
        "dependent": case not in NULL,
        "accuracy": rejected / draws,
        "correct": int(rejected),
        "total": draws,
    }


def drawn(case: str, samples: int, rng: np.random.Generator) -> Draw:
    """x, y and what is conditioned on, of a model with functions by chance and normal noise."""
    first, second, third = (FUNCTIONS[i] for i in rng.integers(len(FUNCTIONS), size=3))
    z, a, b = rng.normal(size=(3, samples))
    if case == "nothing":
        return a, b, None
    if case == "effect":
        return z, first(z) + NOISE * a, None
    x, y = first(z) + NOISE * a, second(z) + NOISE * b
    return (x, y, z) if case == "common cause" else (x, y + 0.5 * third(_unit(x)), z)


def found_graphs(model: str, samples: int, draws: int, seed: int) -> dict[str, Any]:
    """One row: how well joined pairs are found again, over some random graphs.

    Graphs have five variables, of which each pair is joined with probability 0.4; a variable is the
    sum of functions of its causes, and noise. A graph without edges counts as found if none is.
    """
    rng = np.random.default_rng([seed, samples])
    kernel = kernel_of(model)
    scores = []
    for _ in range(draws):
        edges, table = random_model(samples, rng)
        truth = edges | edges.T
        scores.append(skeleton_scores(discover(table, kernel, ALPHA).skeleton, truth))
    f1, missing, extra = np.mean(scores, axis=0)
    return {"f1": float(f1), "missing": float(missing), "extra": float(extra)}


def random_model(samples: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.bool_], Array]:
    """Edges (i, j) of i → j with i < j, and values ``(samples, variables)``."""
    edges = np.triu(rng.random((VARIABLES, VARIABLES)) < EDGES, 1)
    table = np.zeros((samples, VARIABLES))
    for child in range(VARIABLES):
        causes = np.flatnonzero(edges[:, child])
        kinds = rng.integers(len(FUNCTIONS), size=VARIABLES)
        parts = [FUNCTIONS[kinds[cause]](_unit(table[:, cause])) for cause in causes]
        noise = rng.normal(size=samples)
        table[:, child] = np.sum(parts, axis=0) + NOISE * noise if parts else noise
    order = rng.permutation(VARIABLES)  # so that the search can't profit from the order of columns
    return edges[np.ix_(order, order)], table[:, order]


def skeleton_scores(
    found: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]
) -> tuple[float, float, float]:
    """F1 of joined pairs; how many are missing, and how many too many."""
    places = np.triu_indices(len(truth), 1)
    one, other = found[places], truth[places]
    both = int((one & other).sum())
    total = int(one.sum() + other.sum())
    f1 = 2 * both / total if total else 1.0
    return f1, float((other & ~one).sum()), float((one & ~other).sum())


def _unit(values: Array) -> Array:
    found: Array = (values - values.mean()) / values.std()
    return found
