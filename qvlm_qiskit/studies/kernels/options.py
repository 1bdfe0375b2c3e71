"""The options of a study of kernels: parts, data, sizes, seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from qvlm_qiskit.errors import UnknownNameError
from qvlm_qiskit.studies.checks import check_distinct, check_types
from qvlm_qiskit.studies.grid_study import Option
from qvlm_qiskit.studies.quick import check_numbers

PARTS = ("classification", "concentration", "regression", "independence", "graphs")
CAUSAL = ("independence", "graphs")
REGRESSIONS = ("diabetes", "star98")
LEAST = {"features": 1, "points": 20, "qubits": 1, "samples": 20, "draws": 1, "seeds": 1}
MOST = {
    "features": 12,
    "points": 2000,
    "qubits": 12,
    "samples": 5000,
    "draws": 10_000,
    "seeds": 1000,
}


@dataclass(frozen=True)
class KernelOptions:
    """What is compared, and at what size.

    Attributes:
        parts: Of the study, by name.
        data: Sets of two classes.
        regressions: Sets with a number to be predicted.
        features: Principal components that all models are given.
        points: To train with, at most; as many at most are tested with.
        qubits: Sizes of the concentration curve.
        samples: Rows of tables whose independences are tested.
        draws: Tables for each seed, case and kernel.
        seeds: Of splits, draws and models.
    """

    parts: Annotated[
        tuple[str, ...], Option(f"Parts, separated by semicolons: {'; '.join(PARTS)}.")
    ] = PARTS
    data: Annotated[
        tuple[str, ...],
        Option(
            "Sets of two classes, separated by semicolons: ad-hoc, breast-cancer, or a pair of "
            "scikit-learn's digits such as digits:3-8."
        ),
    ] = ("ad-hoc", "digits:3-8", "digits:4-9", "digits:1-7", "breast-cancer")
    regressions: Annotated[
        tuple[str, ...], Option("Sets with a number to predict: diabetes; star98.")
    ] = REGRESSIONS
    features: Annotated[int, Option("Principal components that every model is given.")] = 6
    points: Annotated[int, Option("Points to train with, and to test with, at most.")] = 200
    qubits: Annotated[tuple[int, ...], Option("Qubits of the concentration curve.")] = (
        2, 4, 6, 8, 10,
    )  # fmt: skip
    samples: Annotated[
        tuple[int, ...], Option("Rows of the tables whose independences are tested.")
    ] = (50, 100)
    draws: Annotated[int, Option("Tables for each seed, case and kernel.")] = 20
    seeds: Annotated[int, Option("Seeds of splits, draws and models.")] = 10

    def __post_init__(self) -> None:
        """Refuse what makes no study.

        Raises:
            UnknownNameError: An unknown part.
            InputError: An empty or repeated value, or a number out of range.
        """
        check_types(self)
        for name in ("parts", "data", "regressions"):
            check_distinct(name, getattr(self, name))
        for part in self.parts:
            if part not in PARTS:
                raise UnknownNameError("part", part, PARTS)
        check_numbers(self, LEAST, MOST)
