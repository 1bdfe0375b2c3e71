"""The base class of mitigation wrappers: each states beforehand what it costs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import ClassVar

from qiskit.primitives import BaseEstimatorV2
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.pubs.work import Call


class Technique(BaseEstimatorV2):
    """A wrapper around an ISA estimator that changes which circuits run.

    Attributes:
        inner: The estimator that it calls.
        plan_is_bound: True where the number of executions depends on measured values: `plan` then
            gives the most that can happen.
    """

    inner: BaseEstimatorV2
    plan_is_bound: ClassVar[bool] = False

    @abstractmethod
    def plan(self, calls: Iterable[Call]) -> Iterator[Call]:
        """The calls of `inner.run` that these calls of `run` lead to, in order; nothing is run.

        Shapes, bases, two-qubit gates and precisions are those that will be run; where circuits or
        coefficients depend on measured values, any of the same shape will do. What the technique
        remembers from earlier runs (calibrations, learned models) is not planned again.

        Args:
            calls: Calls of this estimator, one after the other. They are read one at a time.

        Raises:
            MitigationError: What `run` would raise for such pubs.
        """

    def error_gain(self, pub: EstimatorPub) -> float | None:
        """Factor on a value's standard error at equal shots; None where it is not known before.

        Args:
            pub: An ISA pub as `run` takes it.
        """
        return None
