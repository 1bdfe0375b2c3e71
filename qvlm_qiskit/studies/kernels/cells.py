"""The work of one process: a cell belongs to a part of the study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qvlm_qiskit.kernels.independence import require_causal_learn
from qvlm_qiskit.studies.kernels import classification, concentration, independence, regression
from qvlm_qiskit.studies.kernels.data import classes_of, numbers_of
from qvlm_qiskit.studies.kernels.options import CAUSAL, KernelOptions


@dataclass(frozen=True)
class Cell:
    """One model on one set.

    Attributes:
        part: Of the study.
        subject: Data set or case; nothing where there is none.
        model: What is compared.
        size: Qubits, or rows of a table; 0 where there is one size only.
        seed: Of the split, the points or the tables.
    """

    part: str
    subject: str
    model: str
    size: int
    seed: int


def all_cells(options: KernelOptions) -> list[Cell]:
    """All cells of the parts that are asked for."""
    grids = {
        "classification": (options.data, classification.MODELS, (0,)),
        "concentration": (("",), concentration.curves(), options.qubits),
        "regression": (options.regressions, regression.MODELS, (0,)),
        "independence": (independence.CASES, independence.KERNELS, options.samples),
        "graphs": (("",), independence.KERNELS, options.samples),
    }
    return [
        Cell(part, subject, model, size, seed)
        for part, (subjects, models, sizes) in grids.items()
        if part in options.parts
        for seed in range(options.seeds)
        for size in sizes
        for subject in subjects
        for model in models
    ]


def compute_cell(cell: Cell, options: KernelOptions) -> dict[str, Any]:
    """One row of the study's table, as plain data."""
    place = {"part": cell.part, "subject": cell.subject, "model": cell.model, "size": cell.size}
    return {**place, "seed": cell.seed, **_found(cell, options)}


def _found(cell: Cell, options: KernelOptions) -> dict[str, Any]:
    if cell.part == "classification":
        return classification.classified(cell.subject, cell.model, options, cell.seed)
    if cell.part == "regression":
        return regression.regressed(cell.subject, cell.model, options, cell.seed)
    if cell.part == "concentration":
        return concentration.concentrated(cell.model, cell.size, cell.seed)
    if cell.part == "independence":
        return independence.rejections(
            cell.subject, cell.model, cell.size, options.draws, cell.seed
        )  # fmt: skip
    draws = max(1, options.draws // 5)
    return independence.found_graphs(cell.model, cell.size, draws, cell.seed)


def identity(cell: Cell, options: KernelOptions) -> dict[str, Any]:
    """What decides the numbers that a cell will give."""
    sizes: dict[str, Sequence[int]] = {
        "classification": (options.features, options.points),
        "regression": (options.features, options.points),
        "independence": (options.draws,),
        "graphs": (options.draws,),
    }
    return {
        "cell": [cell.part, cell.subject, cell.model, cell.size, cell.seed],
        "sizes": list(sizes.get(cell.part, ())),
    }


def rehearse(options: KernelOptions) -> None:
    """Open every set once, and causal-learn where it is needed.

    Raises:
        QVLMError: A set that is unknown or can't be opened, or causal-learn is not installed.
    """
    if "classification" in options.parts:
        for name in options.data:
            classes_of(name, options.features, options.points, 0)
    if "regression" in options.parts:
        for name in options.regressions:
            numbers_of(name, options.features, options.points, 0)
    if set(options.parts) & set(CAUSAL):
        require_causal_learn()
