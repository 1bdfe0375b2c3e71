"""What the Runtime client would execute, planned from one row of every pub.

Building the client's program takes a large part of a second, whatever the number of rows, and every
row costs what the first one does where all of them meet the same observables.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from itertools import zip_longest

from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.pubs.digest import circuit_digest, observables_bytes
from qvlm_qiskit.backends.pubs.work import Work
from qvlm_qiskit.basics.caches import LruCache

Prepared = Callable[[Sequence[EstimatorPub]], list[Work]]


class RuntimePlans:
    """The work of pubs, prepared once for all that differ by their number of rows only."""

    def __init__(self) -> None:
        self._known: LruCache[Hashable, list[Work]] = LruCache(64)

    def work(self, pubs: Sequence[EstimatorPub], prepared: Prepared) -> list[Work]:
        """The work of one program.

        Args:
            pubs: Its pubs.
            prepared: Gives a program's work, equally many items for every pub in their order, and
                calibrations behind them.
        """
        cut, rows = zip(*(one_row(pub) for pub in pubs), strict=True)
        items = self._known.get(tuple(map(_key, cut)), lambda: prepared(cut))
        each = sum(not item.calibration for item in items) // len(pubs)
        return [
            item
            if item.calibration
            else replace(item, circuits=item.circuits * rows[index // each])
            for index, item in enumerate(items)
        ]


def one_row(pub: EstimatorPub) -> tuple[EstimatorPub, int]:
    """The pub with its first row of parameter values alone, and how many rows cost as much.

    The pub itself and 1 where rows meet different observables, or where there is none.
    """
    values, axes = pub.parameter_values, pub.observables.shape
    paired = zip_longest(reversed(values.shape), reversed(axes), fillvalue=1)
    if values.size == 0 or any(rows > 1 and observables > 1 for rows, observables in paired):
        return pub, 1
    first = (slice(0, 1),) * values.ndim
    cut = BindingsArray(
        {names: array[first] for names, array in values.data.items()}, shape=(1,) * values.ndim
    )
    return EstimatorPub(pub.circuit, pub.observables, cut, pub.precision, validate=False), (
        values.size
    )


def _key(pub: EstimatorPub) -> Hashable:
    return (
        circuit_digest(pub.circuit),
        observables_bytes(pub.observables),
        pub.parameter_values.shape,
        pub.precision,
    )
