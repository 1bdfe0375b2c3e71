"""Sets that ship in packages, as points in [0, 2π] of a few principal components."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from qvlm_qiskit.basics.optional import optional
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.kernels import ad_hoc_data
from qvlm_qiskit.studies.kernels.options import REGRESSIONS

Array = npt.NDArray[np.float64]
AD_HOC_FEATURES, GAP = 2, 0.3
DIGITS = re.compile(r"digits:(\d)-(\d)")


class Split(NamedTuple):
    """Points and targets, to train and to test with."""

    points: Array
    targets: npt.NDArray[Any]
    test_points: Array
    test_targets: npt.NDArray[Any]


def classes_of(name: str, features: int, count: int, seed: int) -> Split:
    """A set of two classes, 0 and 1.

    Args:
        name: "ad-hoc", "breast-cancer" or "digits:A-B".
        features: Principal components; ad-hoc data has two features whatever is asked.
        count: Points to train with, and to test with, at most.
        seed: Of the split, and of ad-hoc data itself.

    Raises:
        UnknownNameError: No such set.
        InputError: A pair of equal digits, or more components than the set has columns.
    """
    if name == "ad-hoc":
        made = ad_hoc_data(2 * count - 2 * count % 4, AD_HOC_FEATURES, GAP, seed)
        half = len(made.points) // 2
        return Split(
            made.points[:half], made.labels[:half], made.points[half:], made.labels[half:]
        )  # fmt: skip
    columns, labels = _classes(name)
    return _split(columns, labels, features, count, seed, stratify=True)


def numbers_of(name: str, features: int, count: int, seed: int) -> Split:
    """A set with a number to be predicted: a third of its rows are kept to test with.

    Args:
        name: "diabetes", or "star98": the share of pupils above the national median of a test in
            mathematics in 303 Californian districts.
        features: Principal components.
        count: Points to train with, and to test with, at most.
        seed: Of the split.

    Raises:
        UnknownNameError: No such set.
        InputError: More components than the set has columns.
        MissingDependencyError: star98 without statsmodels.
    """
    if name not in REGRESSIONS:
        raise UnknownNameError("regression set", name, REGRESSIONS)
    columns, values = load_diabetes(return_X_y=True) if name == "diabetes" else _star98()
    return _split(columns, values, features, count, seed, stratify=False)


def _classes(name: str) -> tuple[Array, npt.NDArray[Any]]:
    if name == "breast-cancer":
        columns, labels = load_breast_cancer(return_X_y=True)
        return columns, labels
    pair = DIGITS.fullmatch(name)
    if pair is None:
        known = ("ad-hoc", "breast-cancer", "digits:3-8")
        raise UnknownNameError("set of two classes", name, known)
    first, second = map(int, pair.groups())
    if first == second:
        raise InputError(f"{name} has one class only")
    images, digits = load_digits(return_X_y=True)
    kept = np.isin(digits, (first, second))
    return images[kept], (digits[kept] == second).astype(int)


def _star98() -> tuple[Array, Array]:
    with optional("causal", "the set star98", statsmodels="statsmodels"):
        from statsmodels.datasets import star98
    found = star98.load_pandas()
    above, below = found.endog.to_numpy(dtype=np.float64).T
    return found.exog.to_numpy(dtype=np.float64), above / (above + below)


def _split(
    columns: Array, targets: npt.NDArray[Any], features: int, count: int, seed: int, stratify: bool
) -> Split:
    """Components are learned from the training points; what lies outside their range is cut."""
    if features > columns.shape[1]:
        raise InputError(f"the set has {columns.shape[1]} columns: not {features} components")
    train, test, targets, test_targets = train_test_split(
        columns,
        targets,
        train_size=min(count, 2 * len(columns) // 3),
        random_state=seed,
        stratify=targets if stratify else None,
    )
    reduce = make_pipeline(
        StandardScaler(), PCA(features, random_state=0), MinMaxScaler((0, 2 * np.pi), clip=True)
    )
    points = reduce.fit_transform(train)
    return Split(points, targets, reduce.transform(test[:count]), test_targets[:count])
