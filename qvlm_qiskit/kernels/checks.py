"""What estimators accept as points, labels and numbers; everything else is refused in one line."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_array, check_X_y
from sklearn.utils.multiclass import check_classification_targets

from qvlm_qiskit.errors import InputError, UnknownNameError

Array = npt.NDArray[np.float64]
LEAST_ROWS = 2
MOST = 1000
"""Features, repetitions, layers and copies: more are a mistake, and circuits without end."""
LONGEST_LINE = 300


def points(given: Any, features: int | None = None, least: int = 1) -> Array:
    """Points as an array ``(N, features)`` of finite numbers.

    Args:
        given: Anything that numpy makes such an array of.
        features: How many numbers a point has; None: any.
        least: How many rows there must be.

    Raises:
        InputError: Anything else: NaN, too few rows, another width.
    """
    with in_one_line():
        found: Array = check_array(given, dtype=np.float64, ensure_min_samples=least)
    if features is not None and found.shape[1] != features:
        raise InputError(f"points of {features} features were learned, got {found.shape[1]}")
    return found


def training_numbers(X: Any, y: Any) -> tuple[Array, Array]:  # noqa: N803
    """Points ``(N, features)`` and a number for each.

    Raises:
        InputError: NaN, fewer than two rows, other shapes, or no numbers.
    """
    with in_one_line():
        found = check_X_y(
            X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=LEAST_ROWS
        )  # fmt: skip
        return found[0], np.asarray(found[1], dtype=np.float64)


def training_labels(X: Any, y: Any) -> tuple[Array, npt.NDArray[Any]]:  # noqa: N803
    """Points ``(N, features)`` and a label for each.

    Raises:
        InputError: NaN, fewer than two rows, other shapes, numbers that are no labels, or labels
            of one class only.
    """
    with in_one_line():
        rows, labels = check_X_y(X, y, dtype=np.float64, ensure_min_samples=LEAST_ROWS)
        check_classification_targets(labels)
    if len(np.unique(labels)) < 2:
        raise InputError(f"there is one class only, {labels[0]}: nothing can be told apart")
    return rows, labels


def scaled(values: Array) -> tuple[Array, npt.NDArray[np.int32]]:
    """Values between −1 and 1, and the exponents of the powers of 2 that they were divided by.

    So squares of very large and very small numbers are numbers; of all others, no digit changes.

    Args:
        values: ``(N,)``, or ``(N, variables)``, each scaled by itself.

    Returns:
        The values, and one exponent for all of them or one for each variable.
    """
    exponents = np.frexp(np.abs(values).max(axis=0))[1]
    return np.ldexp(values, -exponents), exponents


def check_name(kind: str, given: Any, known: Collection[str]) -> None:
    """Refuse what is not one of the known names.

    Raises:
        UnknownNameError: So, also where it is no text.
    """
    if not isinstance(given, str) or given not in known:
        raise UnknownNameError(kind, given, known)


@contextmanager
def in_one_line() -> Iterator[None]:
    """What NumPy and scikit-learn refuse, in one line.

    Raises:
        InputError: For their ``TypeError``, ``ValueError`` or ``OverflowError``.
    """
    try:
        yield
    except InputError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(_one_line(error)) from error


def check_parameters(estimator: Any) -> None:
    """Refuse what scikit-learn refuses of an estimator's parameters, before anything is measured.

    Raises:
        InputError: So.
    """
    with in_one_line():
        estimator._validate_params()  # noqa: SLF001 - what its fit calls first


def _one_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:LONGEST_LINE]
