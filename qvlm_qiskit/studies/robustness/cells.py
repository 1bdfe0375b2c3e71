"""The work of one process: train a model, or attack one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from qvlm_qiskit.data import open_data
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.models.own_model import OwnModel
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.robustness.attacks import (
    correct,
    fgsm,
    input_gradient,
    pgd,
    random_change,
)
from qvlm_qiskit.studies.robustness.options import RobustnessOptions
from qvlm_qiskit.training import Subject, train


@dataclass(frozen=True)
class Cell:
    """One attacked model.

    Attributes:
        variant: What stands in the block's place.
        seed: Of its training and its pictures.
    """

    variant: str
    seed: int


def all_cells(options: RobustnessOptions) -> list[Cell]:
    """Every variant from every seed."""
    return [Cell(variant, seed) for variant in options.variants for seed in range(options.seeds)]


def model_folder(folder: Path, cell: Cell) -> Path:
    """The run folder of a cell's model."""
    return folder / "models" / f"{cell.variant}-seed-{cell.seed}"


def train_cell(options: RobustnessOptions, cell: Cell, folder: Path) -> None:
    """Train a cell's model; what an interrupted study left of it is trained again."""
    path = model_folder(folder, cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    train(options.training(cell.variant, cell.seed), path, overwrite=True)


def rehearse(options: RobustnessOptions) -> None:
    """Open the data and build every model, before anything is trained.

    Raises:
        QVLMError: The data can't be read, or a model can't be built.
        InputError: The data asks more than one question.
    """
    asked = {one.question for one in open_data(options.data_name, "test", options.limit, 0)}
    if len(asked) > 1:
        raise InputError(
            f"{options.data} asks {len(asked)} questions, and this study's models see pictures "
            "alone: take data with one question"
        )
    for variant in options.variants:
        Subject(options.training(variant, 0)).build()


def attack_cell(options: RobustnessOptions, cell: Cell, folder: Path) -> dict[str, Any]:
    """One row: how many pictures a model gets right under every attack.

    Attacks that were made for the other variants of the same seed are tried on it, too.
    """
    run = Run.open(model_folder(folder, cell))
    model = _opened(run)
    samples = run.samples("test", options.limit)
    images, labels = model.inputs(samples)["images"], model.labels(samples)
    others = {
        variant: _opened(Run.open(model_folder(folder, Cell(variant, cell.seed))))
        for variant in options.variants
        if variant != cell.variant
    }
    slopes = input_gradient(model, images, labels).flatten(1).abs()
    return {
        "variant": cell.variant,
        "seed": cell.seed,
        "parameters": run.info["parameters"],
        "quantum_parameters": run.info["quantum_parameters"],
        "total": len(samples),
        "correct": correct(model, images, labels),
        "slope": float(slopes.sum(1).median()),
        "without_slope": float((slopes.amax(1) == 0).double().mean()),
        "attacks": [
            {"attack": name, "epsilon": epsilon, "correct": correct(model, changed, labels)}
            for epsilon in options.epsilons
            for name, changed in _attacked(
                options, {"": model, **others}, (images, labels), epsilon, cell.seed
            ).items()
        ],
    }


def _attacked(
    options: RobustnessOptions,
    models: Mapping[str, OwnModel],
    pictures: tuple[Tensor, Tensor],
    epsilon: float,
    seed: int,
) -> dict[str, Tensor]:
    """Pictures by attack: on the model called "", and by way of the others."""
    images, labels = pictures
    draws = torch.Generator().manual_seed(seed)
    own = models[""]
    found = {
        "random": random_change(images, epsilon, draws),
        "fgsm": fgsm(own, images, labels, epsilon),
    }
    for name, steps in (("pgd", options.attack_steps), ("pgd-more", options.more_steps)):
        found[name] = pgd(own, images, labels, epsilon, steps, draws)
    for name, other in models.items():
        if name:
            steps = options.attack_steps
            found[f"from {name}"] = pgd(other, images, labels, epsilon, steps, draws)
    return found


def _opened(run: Run) -> OwnModel:
    model = run.answering_model()
    if not isinstance(model, OwnModel):
        raise InputError(f"{run.path} holds another model than this study's")
    return model.requires_grad_(False)
