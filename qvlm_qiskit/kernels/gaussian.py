"""The Gaussian kernel with a scale for each feature: the classical twin of a quantum kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.kernels.checks import points
from qvlm_qiskit.kernels.kernel import Scale, factors_of
from qvlm_qiskit.quantum.readings.fidelity import KernelMatrix
from qvlm_qiskit.quantum.readings.final_states import Values, real_rows, require_finite


@dataclass(frozen=True, eq=False)
class GaussianKernel:
    r""":math:`K(x, y) = \exp(-‖s(x-y)‖^2/2)`, with the interface of ``QuantumKernel``.

    Attributes:
        scale: s, a number or one for each feature.
        weights: None; what :func:`qvlm_qiskit.kernels.align` trains beside scales.
    """

    scale: Scale = 1.0
    weights: Sequence[float] | Tensor = ()

    def __call__(
        self,
        X: npt.ArrayLike,  # noqa: N803
        Y: npt.ArrayLike | None = None,  # noqa: N803
    ) -> npt.NDArray[np.float64]:
        """The matrix ``(N, M)``.

        Raises:
            InputError: NaN, or points of different widths.
        """
        with torch.no_grad():
            left = points(X)
            right = None if Y is None else points(Y, left.shape[1])
            found: npt.NDArray[np.float64] = self.matrix(left, right).values.numpy()
        return found

    def matrix(self, X: Values, Y: Values | None = None) -> KernelMatrix:  # noqa: N803
        """The matrix as a tensor, differentiable by points and scale; errors are 0.

        Args:
            X: Points ``(N, features)``.
            Y: Points ``(M, features)``; None: X.

        Raises:
            InputError: A scale that doesn't fit, or points that are not finite (scaled ones too) or
                of different widths.
        """
        left = right = self._scaled(X)
        if Y is not None:
            right = self._scaled(Y)
            if right.shape[-1] != left.shape[-1]:
                raise InputError(
                    f"points have {left.shape[-1]} and {right.shape[-1]} features: give as many"
                )
        distances = (left[:, None, :] - right[None, :, :]).square().sum(-1)
        values = torch.exp(-distances / 2)
        return KernelMatrix(values, torch.zeros_like(values, requires_grad=False))

    def _scaled(self, given: Values) -> Tensor:
        rows = real_rows(given)
        if rows.ndim != 2:
            raise InputError(f"points are rows (N, features), got {tuple(rows.shape)}")
        rows = rows * factors_of(self.scale, rows)
        require_finite(rows)
        return rows
