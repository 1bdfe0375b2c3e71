"""Quantum random forests: trees that ask how close a point's state is to that of a landmark."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from qvlm_qiskit.basics.numbers import check_whole
from qvlm_qiskit.kernels.checks import (
    check_parameters,
    in_one_line,
    points,
    scaled,
    training_labels,
    training_numbers,
)
from qvlm_qiskit.kernels.kernel import FeatureMap, QuantumKernel, Scale
from qvlm_qiskit.quantum.readings.fidelity import Machine

Array = npt.NDArray[np.float64]
MOST_TREES = 100_000


class _QuantumForest(BaseEstimator):  # type: ignore[misc]
    """A forest of scikit-learn on fidelities with landmarks.

    Every split asks whether :math:`|⟨ψ(l)|ψ(x)⟩|^2` exceeds a threshold, l being one of some
    training points: a ball around a state, where a plain tree has a plane along an axis. This is
    this package's own reading of the quantum random forests that arXiv:2510.06563 names; those of
    arXiv:2210.02355 have a support vector machine on a quantum kernel at every node (with a
    Nyström approximation by landmarks, too), which is for classes only.

    Landmarks cost N × landmarks rows on a machine, where a full kernel takes N (N − 1) / 2.
    """

    _forest: type[Any]

    def __init__(
        self,
        feature_map: FeatureMap = "havlicek",
        reps: int = 2,
        scale: Scale = 1.0,
        landmarks: int = 50,
        trees: int = 100,
        max_features: float | str = 1 / 3,
        min_samples_leaf: int = 1,
        random_state: int | None = None,
        backend: Machine | None = None,
    ) -> None:
        """Choose the kernel and the forest.

        Args:
            feature_map: Name of a map, or a circuit.
            reps: Repetitions of a named map.
            scale: Points are multiplied by it.
            landmarks: Training points whose states splits refer to; at most all.
            trees: Trees of the forest.
            max_features: Share of landmarks that each split chooses from, as of scikit-learn.
            min_samples_leaf: As of scikit-learn.
            random_state: Of landmarks and trees.
            backend: Where fidelities are measured; None: exactly.
        """
        self.feature_map = feature_map
        self.reps = reps
        self.scale = scale
        self.landmarks = landmarks
        self.trees = trees
        self.max_features = max_features
        self.min_samples_leaf = min_samples_leaf
        self.random_state = random_state
        self.backend = backend

    def _learn(self, rows: Array, targets: npt.NDArray[Any]) -> None:
        check_whole("landmarks", self.landmarks)
        check_whole("trees", self.trees, 1, MOST_TREES)
        with in_one_line():
            random = check_random_state(self.random_state)
            forest = self._forest(
                self.trees,
                max_features=self.max_features,
                min_samples_leaf=self.min_samples_leaf,
                random_state=random.randint(2**31 - 1),
            )
        check_parameters(forest)
        chosen = random.permutation(len(rows))[: self.landmarks]
        self.kernel_ = QuantumKernel(self.feature_map, self.reps, self.scale, backend=self.backend)
        self.landmarks_, self.n_features_in_ = rows[chosen], rows.shape[1]
        fidelities = self._fidelities(rows)
        with in_one_line():
            self.forest_ = forest.fit(fidelities, targets)

    def _fidelities(self, rows: Array) -> Array:
        return self.kernel_.matrix(rows, self.landmarks_).values.numpy()

    def _answers(self, X: npt.ArrayLike) -> npt.NDArray[Any]:  # noqa: N803
        check_is_fitted(self)
        rows = points(X, self.n_features_in_)
        found: npt.NDArray[Any] = self.forest_.predict(self._fidelities(rows))
        return found


class QuantumForestRegressor(RegressorMixin, _QuantumForest):  # type: ignore[misc]
    """A random forest of numbers whose splits are made by a quantum kernel.

    Every split asks whether :math:`|⟨ψ(l)|ψ(x)⟩|^2` exceeds a threshold, where l is one of
    ``landmarks_``. The trees are those of scikit-learn's ``RandomForestRegressor``.

    Attributes:
        landmarks_: Training points ``(landmarks, features)``.
        forest_: scikit-learn's forest on the fidelities with them. It sees numbers divided by
            :math:`2^e`, between −1 and 1: a variance below 2e-16 it takes for none.
        exponent_: e.
    """

    _forest = RandomForestRegressor

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> QuantumForestRegressor:  # noqa: N803
        """Learn from points ``(N, features)`` and a number for each.

        Raises:
            InputError: NaN, too few rows, no landmark or tree, or points that don't fit the map.
        """
        rows, numbers = training_numbers(X, y)
        targets, self.exponent_ = scaled(numbers)
        self._learn(rows, targets)
        return self

    def predict(self, X: npt.ArrayLike) -> Array:  # noqa: N803
        """A number for each point."""
        found: Array = np.ldexp(self._answers(X), self.exponent_)
        return found


class QuantumForestClassifier(ClassifierMixin, _QuantumForest):  # type: ignore[misc]
    """A random forest of labels whose splits are made by a quantum kernel.

    Attributes:
        landmarks_: Training points ``(landmarks, features)``.
        forest_: scikit-learn's ``RandomForestClassifier`` on the fidelities with them.
        classes_: Labels.
    """

    _forest = RandomForestClassifier

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> QuantumForestClassifier:  # noqa: N803
        """Learn from points ``(N, features)`` and their labels.

        Raises:
            InputError: NaN, one class only, too few rows, no landmark or tree, or points that don't
                fit the map.
        """
        self._learn(*training_labels(X, y))
        self.classes_ = self.forest_.classes_
        return self

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:  # noqa: N803
        """A label for each point."""
        return self._answers(X)
