"""Pubs of any broadcast shape as rows that meet equal observables, and put together again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Strand:
    """Rows of a pub that meet the same observables.

    Attributes:
        rows: (R,) flat places of its rows in the pub's parameter values.
        observables: (O,) flat places of its observables in the pub's array.
        outputs: (O, R) flat places in the pub's shape that they fill.
    """

    rows: NDArray[np.intp]
    observables: NDArray[np.intp]
    outputs: NDArray[np.intp]

    def some(self, chosen: Sequence[int] | NDArray[np.intp]) -> Strand:
        """The strand of some of its rows.

        Args:
            chosen: Places among its rows.
        """
        return Strand(self.rows[chosen], self.observables, self.outputs[:, chosen])

    def pub(self, pub: EstimatorPub) -> EstimatorPub:
        """The pub that asks for this strand alone, of the shape (O, R).

        Args:
            pub: The pub that it is a strand of.
        """
        circuit = pub.circuit
        values = flat_values(pub)[self.rows]
        data = {tuple(circuit.parameters): values} if circuit.num_parameters else {}
        return EstimatorPub(
            circuit,
            pub.observables.ravel()[self.observables].reshape(-1, 1),
            BindingsArray(data, shape=(len(self.rows),)),
            pub.precision,
            validate=False,
        )


def strands(pub: EstimatorPub) -> list[Strand]:
    """The rows of a pub, those that meet the same observables together."""
    rows = _places(pub.parameter_values.shape, pub.shape)
    observables = _places(pub.observables.shape, pub.shape)
    groups: dict[bytes, list[tuple[int, NDArray[np.intp]]]] = {}
    counts = np.bincount(rows, minlength=pub.parameter_values.size)
    places = np.split(np.argsort(rows, kind="stable"), np.cumsum(counts)[:-1])
    for row, outputs in enumerate(places):
        if len(outputs):
            groups.setdefault(observables[outputs].tobytes(), []).append((row, outputs))
    return [
        Strand(
            np.array([row for row, _ in members], dtype=np.intp),
            observables[members[0][1]],
            np.stack([outputs for _, outputs in members], axis=1),
        )
        for members in groups.values()
    ]


def flat_values(pub: EstimatorPub) -> Floats:
    """(rows, P) parameter values, columns in the circuit's own order."""
    values = pub.parameter_values.as_array(pub.circuit.parameters)
    found: Floats = np.asarray(values, dtype=float).reshape(
        pub.parameter_values.size, pub.circuit.num_parameters
    )
    return found


def woven(
    pub: EstimatorPub, answers: Iterable[tuple[Strand, Floats, Floats]]
) -> tuple[Floats, Floats]:
    """Values and standard errors of a pub from those of its strands, of the shape (O, R) each."""
    evs, stds = np.empty(pub.size), np.empty(pub.size)
    for strand, values, errors in answers:
        evs[strand.outputs] = values
        stds[strand.outputs] = errors
    return evs.reshape(pub.shape), stds.reshape(pub.shape)


def _places(shape: tuple[int, ...], into: tuple[int, ...]) -> NDArray[np.intp]:
    """For every flat place of a broadcast shape, the flat place in the array of `shape`."""
    own = np.arange(int(np.prod(shape, dtype=np.intp)), dtype=np.intp).reshape(shape)
    return np.broadcast_to(own, into).ravel()
