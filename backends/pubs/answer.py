"""A decoded answer to one pub, whatever machine gave it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qvlm_qiskit.errors import JobError

ROUNDING = 1e-6
"""Of values that are computed in single precision, relative to what they can be at most."""

SIGMAS = 10.0
"""How many standard errors a value may lie outside of its observable's range."""

if TYPE_CHECKING:
    from qiskit.primitives.containers.estimator_pub import EstimatorPub
    from qiskit.quantum_info import SparseObservable

    from qvlm_qiskit.backends.pubs.package import Package


class DamagedResultError(JobError):
    """A raw result that is cut off, changed, or not of the package's shape."""


@dataclass(frozen=True)
class PubAnswer:
    """Values of one pub.

    Attributes:
        evs: Expectation values in the pub's shape, float64.
        stds: Their standard errors, of the same shape.
        metadata: What the machine says about them, JSON-able.
    """

    evs: NDArray[np.float64]
    stds: NDArray[np.float64]
    metadata: Mapping[str, Any] = field(default_factory=dict)


def checked(answers: Sequence[PubAnswer], package: Package) -> list[PubAnswer]:
    """The answers, if they are those of the package's pubs.

    Raises:
        DamagedResultError: Another number of pubs, arrays of other shapes, or values that the
            observables can't have.
    """
    if len(answers) != len(package.pubs):
        raise DamagedResultError(
            f"a result with {len(answers)} pubs for a job with {len(package.pubs)}"
        )
    for number, (answer, pub) in enumerate(zip(answers, package.pubs, strict=True)):
        if answer.evs.shape != pub.shape or answer.stds.shape != pub.shape:
            raise DamagedResultError(
                f"pub {number} has the shape {pub.shape}; its result has {answer.evs.shape} values "
                f"and {answer.stds.shape} standard errors"
            )
        if (answer.stds < 0).any():
            raise DamagedResultError(f"pub {number} has negative standard errors")
        if not any(package.about.get(name) for name in package.about if "resilience" in name):
            _check_range(number, answer, pub)
    return list(answers)


def _check_range(number: int, answer: PubAnswer, pub: EstimatorPub) -> None:
    """Refuse means that no measured values have; what is extrapolated can lie outside."""
    bounds = np.array(
        [value_range(one) for one in pub.observables.sparse_observables_array().ravel()]
    ).reshape(*pub.observables.shape, 2)
    low, high = (np.broadcast_to(bounds[..., side], pub.shape) for side in (0, 1))
    # Simulators add the error of a mean without looking at the range.
    spread = np.maximum(np.nan_to_num(answer.stds), pub.precision or 0.0)
    room = SIGMAS * spread + ROUNDING * (1.0 + np.maximum(np.abs(low), np.abs(high)))
    # A value that is not finite compares as false.
    if not ((answer.evs >= low - room) & (answer.evs <= high + room)).all():
        raise DamagedResultError(
            f"pub {number} has expectation values outside of its observables' range"
        )


def value_range(observable: SparseObservable) -> tuple[float, float]:
    """Between which numbers the expectation values of an observable surely are.

    A term with coefficient c is c itself where it is the identity, between 0 and c where it is made
    of projectors alone, and between -|c| and |c| otherwise.
    """
    low = high = 0.0
    for letters, _, coefficient in observable.to_sparse_list():
        c = float(coefficient.real)
        if not letters:
            low, high = low + c, high + c
        elif set(letters) & set("XYZ"):
            low, high = low - abs(c), high + abs(c)
        else:
            low, high = low + min(c, 0.0), high + max(c, 0.0)
    return low, high


def plain(value: Any) -> Any:
    """The JSON-able part of a machine's metadata; the rest as text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else repr(value)
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value)
