"""The work of one process: one optimiser on one data set, with one step size, from one start."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from qiskit_machine_learning.utils import algorithm_globals

from qvlm_qiskit.studies.optimisers.objective import SHARPNESS, Array, Objective, loss
from qvlm_qiskit.studies.optimisers.options import OptimiserOptions
from qvlm_qiskit.studies.optimisers.problem import (
    Problem,
    classifier,
    linear_correct,
    load_problem,
    parity_layer,
)
from qvlm_qiskit.studies.optimisers.ways import WAYS, minimise

FIRST_TUNING_SEED = 1000
"""Seeds from here on choose step sizes and are not reported."""
CHECKPOINTS_PER_DECADE = 4
DECADES = 3


@dataclass(frozen=True)
class Cell:
    """One training.

    Attributes:
        data: Name of the data set.
        optimiser: Name.
        step: Its step size.
        seed: Of the split, of the start, and of what the optimiser draws.
    """

    data: str
    optimiser: str
    step: float
    seed: int


def all_cells(options: OptimiserOptions) -> list[Cell]:
    """Every optimiser with every of its step sizes on every data set, from every seed."""
    seeds = [*range(options.seeds)]
    seeds += [FIRST_TUNING_SEED + number for number in range(options.tuning_seeds)]
    return [
        Cell(data, optimiser, step, seed)
        for data in options.data
        for optimiser in options.optimisers
        for step in WAYS[optimiser].steps
        for seed in seeds
    ]


def checkpoints(circuits: int) -> list[int]:
    """Budgets at which trainings are looked at: equal steps of the logarithm, the last is all."""
    steps = CHECKPOINTS_PER_DECADE * DECADES
    powers = (number / CHECKPOINTS_PER_DECADE - DECADES for number in range(steps + 1))
    return [round(circuits * 10**power) for power in powers]


def train_cell(cell: Cell, options: OptimiserOptions) -> dict[str, Any]:
    """One row: exact losses and accuracies of what the optimiser held at every checkpoint."""
    problem = load_problem(cell.data, options.samples, cell.seed)
    batch = options.batch_size if WAYS[cell.optimiser].batch else None
    objective = Objective(problem, options, cell.seed, batch)
    algorithm_globals.random_seed = cell.seed
    start = np.random.default_rng(cell.seed).uniform(-math.pi, math.pi, options.angles)
    minimise(cell.optimiser, objective, start, cell.step)
    budgets = checkpoints(options.circuits)
    kept = [held(objective.trail, budget) for budget in budgets]
    curve = worth(np.stack([weights for _, weights in kept]), problem, options)
    return {
        "data": cell.data,
        "optimiser": cell.optimiser,
        "step": cell.step,
        "seed": cell.seed,
        "spent": objective.spent,
        "iterates": len(objective.trail),
        "loss": curve["loss"][-1],
        "correct": curve["correct"][-1],
        "total": len(problem.test),
        "linear_correct": linear_correct(problem),
        "curve": {"circuits": budgets, **curve},
    }


def held(trail: Sequence[tuple[int, Array]], budget: int) -> tuple[int, Array]:
    """What an optimiser would have returned for a budget: the last weights within it."""
    return [one for one in trail if one[0] <= budget][-1]


def worth(weights: Array, problem: Problem, options: OptimiserOptions) -> dict[str, list[Any]]:
    """Exact training loss of several sets of weights, and how many test points they get right."""
    layer = parity_layer(classifier(options.repetitions))
    given = torch.as_tensor(weights)[:, None]
    found = []
    with torch.no_grad():
        for points in (problem.train, problem.test):
            rows = torch.as_tensor(points).expand(len(weights), *points.shape)
            found.append(layer(rows, weight=given)[..., 0])
    right = found[1].sign() == torch.as_tensor(problem.test_signs)
    losses = loss(found[0], torch.as_tensor(problem.train_signs))
    return {"loss": losses.tolist(), "correct": right.sum(-1).tolist()}


def least_loss() -> float:
    """The loss of points that are all told apart with certainty."""
    return math.log1p(math.exp(-SHARPNESS))
