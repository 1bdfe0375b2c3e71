"""A decoded answer to one pub, whatever machine gave it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qvlm_qiskit.errors import JobError

if TYPE_CHECKING:
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
        DamagedResultError: Another number of pubs, or arrays of other shapes.
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
    return list(answers)


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
