"""What an optimiser may ask, and how many circuits a machine would be asked for it.

A circuit is one row of parameter values: one sample under one set of weights. A loss is one for
each sample; a gradient by parameter shifts two more for each sample and angle; a fidelity one for
each sample. Exact values and gradients come from the engine's adjoint sweep and are counted as a
machine would be asked for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.quantum import QuantumLayer
from qvlm_qiskit.studies.optimisers.options import OptimiserOptions
from qvlm_qiskit.studies.optimisers.problem import (
    Problem,
    classifier,
    fidelity_layer,
    parity_layer,
)

Array = npt.NDArray[np.float64]
SHARPNESS = 4.0
"""The loss is log(1 + exp(-4 y ⟨Z…Z⟩)): 0.69 where nothing is known, at least 0.018."""


class BudgetSpent(Exception):  # noqa: N818  (no error: the end of every training)
    """What was asked for would cost more circuits than are left."""


class Objective:
    """The loss of the training samples, with a budget of circuits.

    Attributes:
        spent: Circuits so far.
        trail: Weights that the optimiser held, each with what had been spent by then.
    """

    def __init__(
        self, problem: Problem, options: OptimiserOptions, seed: int, batch: int | None = None
    ) -> None:
        """Build the circuits.

        Args:
            problem: The points.
            options: Sizes, budget and shots.
            seed: Of batches and shots.
            batch: Samples that each call draws anew; None for all of them in every call.
        """
        self.spent, self.budget = 0, options.circuits
        self.trail: list[tuple[int, Array]] = []
        self._points = torch.as_tensor(problem.train)
        self._signs = torch.as_tensor(problem.train_signs)
        self._batch, self._random = batch, np.random.default_rng(seed)
        circuit = classifier(options.repetitions)
        self._parity, self._fidelity = parity_layer(circuit), fidelity_layer(circuit)
        if options.shots is not None:
            machine = open_backend("statevector", shots=options.shots, seed=seed)
            self._parity.run_on(machine, "param_shift")
            self._fidelity.run_on(machine)

    @property
    def calls(self) -> int:
        """Losses that the whole budget pays, and one more."""
        return self.budget // self.width + 1

    @property
    def width(self) -> int:
        """Samples of a call."""
        return len(self._points) if self._batch is None else self._batch

    def note(self, weights: Any) -> None:
        """Keep weights that the optimiser would return if it ended now."""
        self.trail.append((self.spent, np.array(weights, dtype=float)))

    def losses(self, weights: Any) -> Any:
        """The loss of one set of weights, or of each of several on the same samples.

        Args:
            weights: ``(p,)`` or ``(R, p)``.

        Raises:
            BudgetSpent: There are not enough circuits left.
        """
        given = torch.as_tensor(np.array(weights, dtype=float))
        rows = given.reshape(-1, given.shape[-1])
        points, signs = self._samples()
        self._pay(len(rows) * len(points))
        with torch.no_grad():
            read = _each(self._parity, points, rows)
            found = loss(read, signs).numpy()
        return float(found[0]) if given.ndim == 1 else found

    def gradient(self, weights: Any) -> tuple[float, Array]:
        """The loss of one set of weights, and its gradient by the chain rule.

        Raises:
            BudgetSpent: There are not enough circuits left.
        """
        given = torch.as_tensor(np.array(weights, dtype=float)).requires_grad_()
        points, signs = self._samples()
        self._pay(len(points) * (1 + 2 * len(given)))
        found = loss(self._parity(points, weight=given)[:, 0], signs)
        (slope,) = torch.autograd.grad(found, given)
        return found.item(), slope.numpy()

    def fidelities(self, ones: Any, others: Any) -> Array:
        """Of the states of two sets of weights, or of several pairs: the mean over the samples.

        Raises:
            BudgetSpent: There are not enough circuits left.
        """
        pairs = torch.as_tensor(np.concatenate([np.atleast_2d(ones), np.atleast_2d(others)], -1))
        points, _ = self._samples()
        self._pay(len(pairs) * len(points))
        with torch.no_grad():
            found: Array = _each(self._fidelity, points, pairs).mean(-1).numpy()
        return found

    def _samples(self) -> tuple[Tensor, Tensor]:
        if self._batch is None:
            return self._points, self._signs
        chosen = self._random.choice(len(self._points), self._batch, replace=False)
        return self._points[chosen], self._signs[chosen]

    def _pay(self, circuits: int) -> None:
        if self.spent + circuits > self.budget:
            raise BudgetSpent
        self.spent += circuits


def loss(read: Tensor, signs: Tensor) -> Tensor:
    """Mean logistic loss over the last dimension.

    Args:
        read: Parities ``(…, N)`` from -1 to 1.
        signs: Classes ``(N,)``, -1 or 1.
    """
    return F.softplus(-SHARPNESS * signs * read).mean(-1)


def _each(layer: QuantumLayer, points: Tensor, weights: Tensor) -> Tensor:
    """The first output of all points under each set of weights, ``(R, N)``."""
    inputs = points.expand(len(weights), *points.shape)
    read: Tensor = layer(inputs, weight=weights[:, None])[..., 0]
    return read
