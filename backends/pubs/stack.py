"""Estimators in front of each other: each keeps the next one as its attribute ``inner``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from qvlm_qiskit.backends.pubs.work import StatesWork
from qvlm_qiskit.errors import BackendError


def stack_of(estimator: Any) -> Iterator[Any]:
    """An estimator and all that are behind it, the outermost first."""
    while estimator is not None:
        yield estimator
        estimator = getattr(estimator, "inner", None)


def to_device(estimator: Any) -> tuple[list[Any], StatesWork]:
    """What is in front of the device, outermost first, and the device.

    The device is the first that says what it would run.

    Raises:
        BackendError: None says it.
    """
    layers: list[Any] = []
    for layer in stack_of(estimator):
        if isinstance(layer, StatesWork):
            return layers, layer
        layers.append(layer)
    raise BackendError(
        f"the estimator {type(layers[-1]).__name__} doesn't say beforehand what it runs, so "
        "nothing can be said about the costs of this backend"
    )


class SharedByCopies:
    """A mixin of estimators that stand for a machine: copies of a model go on with the same one.

    What it has compiled and calibrated so far stays useful to all of them, and nothing is paid
    twice.
    """

    def __copy__(self) -> Self:
        """The machine itself."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """The machine itself."""
        return self
