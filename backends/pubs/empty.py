"""Pubs that ask for nothing: no parameter sets, or no observables.

Simulators and the Runtime client fail on them, or end the process; so they are answered here, in
the pub's shape, and never sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from qiskit.primitives import DataBin, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub


def asked(pubs: Sequence[EstimatorPub]) -> list[int]:
    """The numbers of the pubs that ask for at least one value."""
    return [number for number, pub in enumerate(pubs) if pub.size]


def with_empty(
    pubs: Sequence[EstimatorPub], results: Iterable[Any], metadata: dict[str, Any]
) -> PrimitiveResult[Any]:
    """The result of all pubs, from those of the pubs that ask for a value.

    Args:
        pubs: All pubs.
        results: The results of `asked`, in order.
        metadata: Of the whole.
    """
    answered = iter(results)
    merged = [next(answered) if pub.size else _nothing(pub) for pub in pubs]
    return PrimitiveResult(merged, metadata=metadata)


def _nothing(pub: EstimatorPub) -> PubResult:
    evs, stds = np.zeros(pub.shape), np.zeros(pub.shape)
    return PubResult(
        DataBin(evs=evs, stds=stds, shape=pub.shape),
        metadata={
            "target_precision": pub.precision,
            "circuits": 0,
            "executions": 0,
            "circuit_metadata": pub.circuit.metadata,
        },
    )
