"""Metrics by name: the files of this folder, and those that other distributions add.

A metric is a `TextMetric` (a `SampleMean` for example), a `TokenMetric` or a `VerdictMetric`.
Another distribution's is found by its entry point of the group ``qvlm_qiskit.metrics``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from qvlm_qiskit.basics.registry import RegistryError
from qvlm_qiskit.evaluation.metrics.metric import Metric, TextMetric, TokenMetric, VerdictMetric
from qvlm_qiskit.recipes import METRICS

AnyMetric = TextMetric | TokenMetric | VerdictMetric

_Metric = TypeVar("_Metric", bound=type[Metric])


def register_metric(name: str) -> Callable[[_Metric], _Metric]:
    """Class decorator that makes a metric known by a name: that of its file or entry point."""

    def enter(found: _Metric) -> _Metric:
        METRICS.enter(name, found)
        found.name = name
        return found

    return enter


def find_metric(name: str) -> AnyMetric:
    """The metric of a name.

    Raises:
        UnknownNameError: There is none; the message has the nearest.
        RegistryError: It can't be imported, or is no metric.
    """
    found = METRICS.load(name)
    if not (isinstance(found, type) and issubclass(found, AnyMetric)):
        raise RegistryError(
            f"the entry point {name!r} leads to no metric: make it a TextMetric, a TokenMetric or "
            "a VerdictMetric"
        )
    return found()
