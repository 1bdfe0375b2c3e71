"""How well a kernel fits labels, and scales and weights that fit better."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qvlm_qiskit.basics.numbers import check_positive, check_truth, check_whole
from qvlm_qiskit.errors import InputError, arrived
from qvlm_qiskit.kernels.checks import scaled, training_labels, training_numbers
from qvlm_qiskit.kernels.gaussian import GaussianKernel
from qvlm_qiskit.kernels.kernel import QuantumKernel, factors_of, weights_of
from qvlm_qiskit.quantum.readings.final_states import real_rows, require_finite

MOST_STEPS = 1_000_000
Kernel = TypeVar("Kernel", bound=QuantumKernel | GaussianKernel)


@dataclass(frozen=True)
class Alignment(Generic[Kernel]):
    """A kernel whose scales and weights were trained.

    Attributes:
        kernel: With the best scales and weights of all steps.
        before: Alignment with those it had.
        after: Alignment with the best.
        history: Alignment before every step, and at last.
    """

    kernel: Kernel
    before: float
    after: float
    history: tuple[float, ...]


def target_alignment(matrix: Tensor, targets: Tensor, centred: bool = False) -> Tensor:
    r"""Kernel–target alignment, :math:`⟨K, yy^T⟩ / (‖K‖ ‖yy^T‖)` (Cristianini et al., 2001).

    Args:
        matrix: K, ``(N, N)``.
        targets: y, ``(N,)``: ±1 for two classes, or numbers.
        centred: Whether K is centred before (Cortes et al., 2012), so that classes of different
            sizes don't make constants look aligned; give centred numbers then.

    Returns:
        Between −1 and 1, for positive semidefinite K between 0 and 1.

    Raises:
        InputError: K is not square, there is not one target for each of its rows, they are not
            finite, or nothing is left of K or y to be aligned.
    """
    check_truth("centred", centred)
    matrix, targets = real_rows(matrix), real_rows(targets)
    if matrix.ndim != 2 or matrix.shape != (*targets.shape, *targets.shape):
        raise InputError(
            f"a kernel matrix (N, N) and N targets are aligned, got {tuple(matrix.shape)} and "
            f"{tuple(targets.shape)}"
        )
    require_finite(matrix)
    require_finite(targets[None])
    if centred:
        rows = matrix.mean(0, keepdim=True)
        matrix = matrix - rows - rows.mT + rows.mean()
    matrix, targets = _of_size_one(matrix), _of_size_one(targets.to(matrix))
    norms: Tensor = torch.linalg.matrix_norm(matrix) * targets.square().sum()
    return targets @ matrix @ targets / norms


def _of_size_one(values: Tensor) -> Tensor:
    """Alignment has no unit, and squares of very large and very small numbers are no numbers."""
    size = values.detach().abs().max() if values.numel() else values.new_zeros(())
    if not size > 0:
        raise InputError("a kernel or targets without differences can't be aligned")
    return values / size


def signs(labels: npt.NDArray[Any]) -> Tensor:
    """Two classes as −1 and 1, the smaller one first.

    Raises:
        InputError: One class only, or more than two.
    """
    classes, places = np.unique(labels, return_inverse=True)
    if len(classes) != 2:
        raise InputError(f"alignment is of two classes, there are {len(classes)}")
    return torch.as_tensor(2.0 * places - 1, dtype=torch.float64)


def align(
    kernel: Kernel,
    X: npt.ArrayLike,  # noqa: N803
    y: npt.ArrayLike,
    *,
    steps: int = 60,
    learning_rate: float = 0.1,
    numbers: bool = False,
) -> Alignment[Kernel]:
    """Train a kernel's scales, one for each feature, and its weights to be aligned with targets.

    Gradients go through exact states; Adam changes logarithms of scales, so that none changes its
    sign, and weights themselves. What was best in training is kept, which may be the beginning.

    Args:
        kernel: Where to begin; it must be exact. Its classical twin is trained likewise.
        X: Points ``(N, features)``.
        y: Labels of two classes; or numbers.
        steps: Of Adam.
        learning_rate: Of Adam.
        numbers: Whether y are numbers; they are centred, and so is K.

    Raises:
        InputError: Steps or a rate that train nothing, points, labels or numbers that don't fit, a
            scale of 0, numbers that are all the same, or a kernel that is measured on a machine.
    """
    check_whole("steps", steps, 0, MOST_STEPS)
    check_positive("learning_rate", learning_rate)
    check_truth("numbers", numbers)
    if not isinstance(kernel, QuantumKernel | GaussianKernel):
        raise InputError(f"kernel is a QuantumKernel or a GaussianKernel, got {arrived(kernel)}")
    rows, targets = _prepared(X, y, numbers)
    begin = factors_of(kernel.scale, rows).expand(rows.shape[1])
    if not begin.all():
        raise InputError("a scale of 0 leaves its feature out, and can't be trained")
    logarithms = torch.zeros_like(begin).requires_grad_()
    weights = weights_of(kernel.weights, rows).clone().requires_grad_()
    optimiser = torch.optim.Adam([logarithms, weights], learning_rate)
    history, best = [], (-np.inf, begin, weights.detach())
    for step in range(steps + 1):
        scale = begin * logarithms.exp()
        now = replace(kernel, scale=scale, weights=weights)
        found = target_alignment(now.matrix(rows).values, targets, centred=numbers)
        history.append(float(found.detach()))
        if history[-1] > best[0]:
            best = history[-1], scale.detach().clone(), weights.detach().clone()
        if step < steps:
            optimiser.zero_grad()
            (-found).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    trained = replace(kernel, scale=tuple(best[1].tolist()), weights=tuple(best[2].tolist()))
    return Alignment(trained, history[0], best[0], tuple(history))


def _prepared(X: Any, y: Any, numbers: bool) -> tuple[Tensor, Tensor]:  # noqa: N803
    if not numbers:
        rows, labels = training_labels(X, y)
        return torch.as_tensor(rows), signs(labels)
    rows, numbers_given = training_numbers(X, y)
    values, _ = scaled(numbers_given)
    if np.ptp(values) == 0:
        raise InputError("all targets are the same number: nothing can be aligned with them")
    return torch.as_tensor(rows), torch.as_tensor(values - values.mean())
