"""Rows of a step that are asked for together, before the step is made.

What a backward pass needs of an estimator that samples depends on rows and weights alone: it can be
asked for with the values. So a forward pass that only collects finds every row of a training step,
of all layers, and one job answers them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.primitives import DataBin, PrimitiveJob, PrimitiveResult, PubResult
from qiskit.primitives.base import BaseEstimatorV2
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from torch import Tensor

from qvlm_qiskit.basics.same_row import GRID, largest_rate, on_grid
from qvlm_qiskit.quantum.program.circuit_key import circuit_key

Array = npt.NDArray[np.float64]


@dataclass
class Collected:
    """What a forward pass asked that was not known.

    Attributes:
        pubs: By what tells them apart.
        waits: Whether a layer's inputs depend on one of them, so that it has asked nothing yet.
    """

    pubs: dict[Hashable, EstimatorPub] = field(default_factory=dict)
    waits: bool = False


class AskedAhead(BaseEstimatorV2):
    """Answers what was asked before; a layer that runs on it asks for values and derivatives.

    Inside `collecting`, what is not known is noted and answered with NaN, by which a layer whose
    inputs depend on it is recognised. Outside, it is asked of the estimator behind this one.

    Args:
        inner: Answers what is not known.
        grid: Radians to which a layer's inputs are rounded, so that what is equal but for the
            rounding of sums is asked once, see `basics.same_row`.
    """

    def __init__(self, inner: BaseEstimatorV2, grid: float = GRID) -> None:
        self.inner = inner
        self.grid = grid
        self._known: dict[Hashable, PubResult] = {}
        self._passes: list[Collected] = []

    def with_grid(self, grid: float) -> AskedAhead:
        """The same, answers included, with another grid."""
        other = copy(self)
        other.grid = grid
        return other

    def rounded(self, rows: Array, circuit: QuantumCircuit) -> Array:
        """A layer's inputs on the grid of its circuit's angles."""
        return on_grid(rows, largest_rate(circuit), self.grid)

    def run(
        self, pubs: Iterable[Any], *, precision: float | None = None
    ) -> PrimitiveJob[PrimitiveResult[PubResult]]:
        """Answer pubs; while `collecting`, with NaN where they are not known."""
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        asked = [(_key(pub), pub) for pub in coerced]
        new = {key: pub for key, pub in asked if key not in self._known}
        if self._passes:
            self._passes[-1].pubs.update(new)
        elif new:
            self.learn(new)
        answers = [self._known[k] if k in self._known else _nothing(p) for k, p in asked]
        job: PrimitiveJob[PrimitiveResult[PubResult]] = PrimitiveJob(PrimitiveResult, answers)
        job._submit()  # noqa: SLF001  (as Qiskit's own estimators do)
        return job

    @contextmanager
    def collecting(self) -> Iterator[Collected]:
        """Until the end of the block, what is not known is noted in what this gives."""
        self._passes.append(Collected())
        try:
            yield self._passes[-1]
        finally:
            self._passes.pop()

    def learn(
        self, pubs: Mapping[Hashable, EstimatorPub], by: BaseEstimatorV2 | None = None
    ) -> None:
        """Have pubs answered in one call, by the estimator behind this one or another."""
        answers = (by or self.inner).run(list(pubs.values())).result()
        self._known.update(zip(pubs, answers, strict=True))

    def forget(self) -> None:
        """Know nothing any more."""
        self._known.clear()

    def awaits(self, *inputs: Tensor | None) -> bool:
        """Whether a layer's inputs depend on values that are not there yet; while `collecting`."""
        if not self._passes:
            return False
        there = all(bool(part.detach().isfinite().all()) for part in inputs if part is not None)
        self._passes[-1].waits |= not there
        return not there


def _key(pub: EstimatorPub) -> Hashable:
    """Equal for pubs that ask the same, to the last bit."""
    values = pub.parameter_values.as_array(pub.circuit.parameters)
    observables = repr(pub.observables.tolist())
    circuit = circuit_key(pub.circuit)
    return circuit, observables, pub.precision, values.shape, values.tobytes()


def _nothing(pub: EstimatorPub) -> PubResult:
    empty = np.full(pub.shape, np.nan)
    return PubResult(DataBin(evs=empty, stds=empty, shape=pub.shape))
