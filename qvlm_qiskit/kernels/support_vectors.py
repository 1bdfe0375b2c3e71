"""Support vector machines on quantum kernels, with scikit-learn's interface and solver."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.svm import SVC, SVR
from sklearn.utils.validation import check_is_fitted

from qvlm_qiskit.basics.numbers import check_positive
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.kernels.checks import (
    check_parameters,
    points,
    scaled,
    training_labels,
    training_numbers,
)
from qvlm_qiskit.kernels.kernel import FeatureMap, QuantumKernel, Scale
from qvlm_qiskit.quantum.readings.fidelity import Machine

Array = npt.NDArray[np.float64]
TOLERANCE, LEAST_TOLERANCE = 1e-3, 1e-9


class _KernelMachine(BaseEstimator):  # type: ignore[misc]
    """A solver of scikit-learn on the matrix of a quantum kernel.

    To predict, a machine is asked for the support vectors' columns alone.
    """

    feature_map: FeatureMap
    reps: int
    scale: Scale
    backend: Machine | None
    machine_: Any
    points_: Array

    def _kernel(self) -> QuantumKernel:
        return QuantumKernel(self.feature_map, self.reps, self.scale, backend=self.backend)

    def _learn(self, machine: Any, rows: Array, targets: npt.NDArray[Any]) -> None:
        self.kernel_ = self._kernel()
        self.machine_ = machine.fit(self.kernel_(rows), targets)
        self.points_, self.n_features_in_ = rows, rows.shape[1]

    def _columns(self, X: npt.ArrayLike) -> Array:  # noqa: N803
        check_is_fitted(self)
        rows, support = points(X, self.n_features_in_), self.machine_.support_
        found = np.zeros((len(rows), len(self.points_)))
        if len(support):
            found[:, support] = self.kernel_(rows, self.points_[support])
        return found


class QuantumSVC(ClassifierMixin, _KernelMachine):  # type: ignore[misc]
    """A support vector classifier on a quantum kernel.

    Attributes:
        machine_: scikit-learn's ``SVC`` on the precomputed kernel.
        kernel_: The kernel.
        classes_: Labels.
    """

    def __init__(
        self,
        feature_map: FeatureMap = "havlicek",
        reps: int = 2,
        scale: Scale = 1.0,
        C: float = 1.0,  # noqa: N803
        backend: Machine | None = None,
    ) -> None:
        """Choose the kernel and the solver's regularisation.

        Args:
            feature_map: Name of a map, or a circuit.
            reps: Repetitions of a named map.
            scale: Points are multiplied by it.
            C: As of ``sklearn.svm.SVC``.
            backend: Where the kernel is measured; None: exactly.
        """
        self.feature_map = feature_map
        self.reps = reps
        self.scale = scale
        self.C = C
        self.backend = backend

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> QuantumSVC:  # noqa: N803
        """Learn from points ``(N, features)`` and their labels.

        Raises:
            InputError: NaN, one class only, too few rows, points that don't fit the map, or a C
                that scikit-learn refuses.
        """
        rows, labels = training_labels(X, y)
        solver = SVC(kernel="precomputed", C=self.C)
        check_parameters(solver)
        check_positive("C", self.C)
        self._learn(solver, rows, labels)
        self.classes_ = self.machine_.classes_
        return self

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:  # noqa: N803
        """A label for each point."""
        columns = self._columns(X)
        found: npt.NDArray[Any] = self.machine_.predict(columns)
        return found

    def decision_function(self, X: npt.ArrayLike) -> Array:  # noqa: N803
        """Signed distances from the boundary, as of ``sklearn.svm.SVC``."""
        columns = self._columns(X)
        found: Array = self.machine_.decision_function(columns)
        return found


class QuantumSVR(RegressorMixin, _KernelMachine):  # type: ignore[misc]
    """A support vector regressor on a quantum kernel.

    Attributes:
        machine_: scikit-learn's ``SVR`` on the precomputed kernel. It sees numbers, C and epsilon
            divided by :math:`2^e`, which is the same problem with targets between −1 and 1: its
            tolerance, which has their unit, would never be reached by large ones and at once by
            small ones.
        exponent_: e.
        kernel_: The kernel.
    """

    def __init__(
        self,
        feature_map: FeatureMap = "havlicek",
        reps: int = 2,
        scale: Scale = 1.0,
        C: float = 1.0,  # noqa: N803
        epsilon: float = 0.1,
        backend: Machine | None = None,
    ) -> None:
        """Choose the kernel and the solver's constants.

        Args:
            feature_map: Name of a map, or a circuit.
            reps: Repetitions of a named map.
            scale: Points are multiplied by it.
            C: As of ``sklearn.svm.SVR``.
            epsilon: As of ``sklearn.svm.SVR``, in the unit of the targets.
            backend: Where the kernel is measured; None: exactly.
        """
        self.feature_map = feature_map
        self.reps = reps
        self.scale = scale
        self.C = C
        self.epsilon = epsilon
        self.backend = backend

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> QuantumSVR:  # noqa: N803
        """Learn from points ``(N, features)`` and a number for each.

        Raises:
            InputError: NaN, too few rows, points that don't fit the map, or a constant that
                scikit-learn refuses.
        """
        rows, numbers = training_numbers(X, y)
        check_parameters(SVR(kernel="precomputed", C=self.C, epsilon=self.epsilon))
        check_positive("C", self.C)
        check_positive("epsilon", self.epsilon, zero=True)
        targets, self.exponent_ = scaled(numbers)
        self._learn(self._solver(-int(self.exponent_)), rows, targets)
        return self

    def _solver(self, exponent: int) -> SVR:
        """One whose constants are multiplied by a power of 2, its tolerance within bounds."""
        try:
            constant, epsilon, tolerance = (
                math.ldexp(one, exponent) for one in (self.C, self.epsilon, TOLERANCE)
            )
        except OverflowError as error:
            raise InputError(
                f"C={self.C} and epsilon={self.epsilon} are far from the targets, the largest of "
                f"which is about {2.0**-exponent:.0e}: choose another unit"
            ) from error
        tolerance = min(max(tolerance, LEAST_TOLERANCE), TOLERANCE)
        return SVR(kernel="precomputed", C=constant, epsilon=epsilon, tol=tolerance)

    def predict(self, X: npt.ArrayLike) -> Array:  # noqa: N803
        """A number for each point."""
        columns = self._columns(X)
        found: Array = np.ldexp(self.machine_.predict(columns), self.exponent_)
        return found
