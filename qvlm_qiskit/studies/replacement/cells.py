"""The work of one process: train one network from one seed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from qvlm_qiskit.data import Sample, open_data
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.models import pixels
from qvlm_qiskit.studies.replacement.networks import LADDER, Network
from qvlm_qiskit.studies.replacement.options import ReplacementOptions

VALIDATION = 0.1
"""Of the training pictures."""


@dataclass(frozen=True)
class Cell:
    """One training.

    Attributes:
        variant: Name of the network.
        rate: Adam's learning rate.
        seed: Of the start, the order, the choice of pictures, and which are for validation.
    """

    variant: str
    rate: float
    seed: int


@dataclass(frozen=True)
class Pictures:
    """Pictures ``(N, 1, s, s)`` from 0 to 1, and their classes ``(N,)``."""

    images: Tensor
    classes: Tensor

    def part(self, chosen: Any) -> Pictures:
        """Some of them."""
        return Pictures(self.images[chosen], self.classes[chosen])


def all_cells(options: ReplacementOptions) -> list[Cell]:
    """Every variant with every learning rate from every seed."""
    return [
        Cell(variant, rate, seed)
        for variant in options.variants
        for rate in options.learning_rates
        for seed in range(options.seeds)
    ]


def pictures(options: ReplacementOptions, seed: int) -> tuple[Pictures, Pictures, list[str]]:
    """For training and for the test, and the classes' names.

    Raises:
        InputError: The data asks more than one question, or the test has other classes.
    """
    train = list(open_data(options.data_name, "train", options.train_samples, seed))
    test = list(open_data(options.data_name, "test", options.test_samples, seed))
    if len({one.question for one in (*train, *test)}) > 1:
        raise InputError(f"{options.data} asks several questions: take data with one answer each")
    names = sorted({one.answer for one in train})
    if unknown := {one.answer for one in test} - set(names):
        raise InputError(f"no training picture of {options.data} is a {min(unknown)}")
    return _of_samples(train, names, options.side), _of_samples(test, names, options.side), names


def rehearse(options: ReplacementOptions) -> None:
    """Open the data and build every network, before anything is trained.

    Raises:
        QVLMError: The data can't be read, or a network can't be built.
    """
    *_, names = pictures(options, 0)
    for variant in options.variants:
        network(variant, options, len(names))


def network(variant: str, options: ReplacementOptions, classes: int) -> Network:
    """An untrained one."""
    sizes = (options.side, options.channels, classes, options.repetitions)
    return Network(LADDER[variant], *sizes)


def train_cell(cell: Cell, options: ReplacementOptions) -> dict[str, Any]:
    """One row: accuracies of what a training left after its last epoch."""
    given, test, names = pictures(options, cell.seed)
    random = np.random.default_rng(cell.seed)
    order = random.permutation(len(given.classes))
    held = max(1, round(VALIDATION * len(order)))
    train, validation = given.part(order[held:]), given.part(order[:held])
    torch.manual_seed(cell.seed)
    made = network(cell.variant, options, len(names))
    started = time.process_time()
    losses = fit(made, train, options, cell.rate, random)
    steps = options.epochs * -(-len(train.classes) // options.batch_size)
    return {
        "variant": cell.variant,
        "rate": cell.rate,
        "seed": cell.seed,
        "parameters": made.parameters_trained,
        "loss": losses[-1],
        "losses": losses,
        "step_ms": 1000 * (time.process_time() - started) / steps,
        "validation": right(made, validation) / len(validation.classes),
        "correct": right(made, test),
        "total": len(test.classes),
        "classes": len(names),
    }


def fit(
    made: Network,
    train: Pictures,
    options: ReplacementOptions,
    rate: float,
    random: np.random.Generator,
) -> list[float]:
    """Train with Adam on the cross-entropy; returns each epoch's mean loss in nats."""
    optimiser = torch.optim.Adam([p for p in made.parameters() if p.requires_grad], lr=rate)
    count, losses = len(train.classes), []
    for _ in range(options.epochs):
        total = 0.0
        for batch in torch.split(torch.as_tensor(random.permutation(count)), options.batch_size):
            loss = F.cross_entropy(made(train.images[batch]), train.classes[batch])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            total += loss.item() * len(batch)
        losses.append(total / count)
    return losses


def right(made: Network, given: Pictures) -> int:
    """How many pictures are taken for what they are."""
    with torch.no_grad():
        return int((made(given.images).argmax(-1) == given.classes).sum())


def _of_samples(samples: list[Sample], names: list[str], side: int) -> Pictures:
    grey = pixels(samples, side).mean(1, keepdim=True)
    return Pictures(grey, torch.tensor([names.index(one.answer) for one in samples]))
