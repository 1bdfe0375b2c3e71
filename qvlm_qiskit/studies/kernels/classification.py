"""Support vector machines with quantum kernels beside Gaussian and linear ones, and aligned."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC

from qvlm_qiskit.kernels import GaussianKernel, QuantumKernel, align, target_alignment
from qvlm_qiskit.kernels.alignment import signs
from qvlm_qiskit.studies.kernels.data import Split, classes_of
from qvlm_qiskit.studies.kernels.options import KernelOptions

Kernel: TypeAlias = QuantumKernel | GaussianKernel
QUANTUM_SCALES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
GAUSSIAN_SCALES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
COSTS = (0.1, 1.0, 10.0, 100.0, 1000.0)
FOLDS = 5

MODELS = (
    "havlicek", "havlicek x 1", "havlicek aligned",
    "resource-efficient", "resource-efficient x 1", "resource-efficient aligned",
    "rbf", "rbf aligned", "linear",
)  # fmt: skip
REFERENCE = "rbf"


class Choice(NamedTuple):
    """A kernel, its matrix of the training points, and a machine learned on it."""

    kernel: Kernel
    matrix: npt.NDArray[np.float64]
    machine: Any
    score: float


def classified(data: str, model: str, options: KernelOptions, seed: int) -> dict[str, Any]:
    """One row: accuracy on points that were not seen, and alignment.

    Every kernel chooses its scale among six and the machine's C among five by the same folds;
    "x 1" has the scale 1, with angles in [0, 2π] as published. "Aligned" begins with the chosen
    scale.
    """
    split = classes_of(data, options.features, options.points, seed)
    if model == "linear":
        return _scored(split, *_linear(split, seed))
    family, _, how = model.partition(" ")
    choice = chosen(split, [1.0] if how == "x 1" else scales(family), family, seed)
    found: dict[str, Any] = {"scale": _plain_scale(choice.kernel)}
    if how == "aligned":
        found["before"] = _alignments(choice.kernel, choice.matrix, split)
        trained = align(choice.kernel, split.points, split.targets).kernel
        choice = _learned(trained, split, seed)
    answers = choice.machine.predict(choice.kernel(split.test_points, split.points))
    found["alignment"] = _alignments(choice.kernel, choice.matrix, split)
    return {**_scored(split, answers, choice.machine.best_params_["C"]), **found}


def scales(family: str) -> tuple[float, ...]:
    """What a kernel may choose from."""
    return GAUSSIAN_SCALES if family == "rbf" else QUANTUM_SCALES


def kernel_of(family: str, scale: float) -> Kernel:
    """A kernel by its name in the study."""
    return GaussianKernel(scale) if family == "rbf" else QuantumKernel(family, scale=scale)


def chosen(split: Split, candidates: Any, family: str, seed: int) -> Choice:
    """The kernel with the scale, and C, that do best in the folds of the training points."""
    tried = [_learned(kernel_of(family, scale), split, seed) for scale in candidates]
    return max(tried, key=lambda one: one.score)


def _learned(kernel: Kernel, split: Split, seed: int) -> Choice:
    matrix = kernel(split.points)
    search = GridSearchCV(SVC(kernel="precomputed"), {"C": COSTS}, cv=_folds(seed))
    search.fit(matrix, split.targets)
    return Choice(kernel, matrix, search, float(search.best_score_))


def _linear(split: Split, seed: int) -> tuple[Any, float]:
    search = GridSearchCV(SVC(kernel="linear"), {"C": [c / 10 for c in COSTS]}, cv=_folds(seed))
    search.fit(split.points, split.targets)
    return search.predict(split.test_points), search.best_params_["C"]


def _folds(seed: int) -> StratifiedKFold:
    return StratifiedKFold(FOLDS, shuffle=True, random_state=seed)


def _alignments(kernel: Kernel, matrix: npt.NDArray[np.float64], split: Split) -> dict[str, float]:
    pairs = (matrix, split.targets), (kernel(split.test_points), split.test_targets)
    seen, unseen = (
        float(target_alignment(torch.as_tensor(one), signs(labels))) for one, labels in pairs
    )
    return {"seen": seen, "unseen": unseen}


def _plain_scale(kernel: Kernel) -> float:
    return float(torch.as_tensor(kernel.scale, dtype=torch.float64).mean())


def _scored(split: Split, answers: npt.NDArray[Any], cost: float) -> dict[str, Any]:
    right = answers == split.test_targets
    return {
        "accuracy": float(right.mean()),
        "correct": int(right.sum()),
        "total": len(right),
        "right": "".join("01"[int(one)] for one in right),
        "C": float(cost),
        "trained_with": len(split.points),
    }
