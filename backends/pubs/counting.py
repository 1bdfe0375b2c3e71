"""What of a pub is measured, and its values and standard errors from the counts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.pubs.active_qubits import restrict_observables
from qvlm_qiskit.backends.pubs.pauli_terms import (
    MeasurementGroup,
    Term,
    group_qubit_wise,
    pauli_terms,
)


@dataclass(frozen=True)
class MeasurementPlan:
    """What to measure for a pub, and how to read the values off the counts.

    S is the number of elements of the broadcast pub, B the number of parameter rows.
    """

    shape: tuple[int, ...]
    expansions: list[dict[Term, float]]  # one per observable
    row_shape: tuple[int, ...]
    observable_shape: tuple[int, ...]
    groups: list[MeasurementGroup]
    rows: list[NDArray[np.intp]]  # per group, the sorted parameter rows that need it

    @classmethod
    def of(cls, pub: EstimatorPub, qubits: tuple[int, ...]) -> MeasurementPlan:
        """The plan of a pub on the active qubits, with the terms of equal bases together."""
        observables = restrict_observables(pub.observables, qubits)
        expansions = [pauli_terms(o) for o in observables.sparse_observables_array().ravel()]
        row_shape, observable_shape = pub.parameter_values.shape, observables.shape
        groups = group_qubit_wise(term for terms in expansions for term in terms)
        users = [
            np.array([bool(group.terms & terms.keys()) for terms in expansions], dtype=bool)
            for group in groups
        ]
        rows = [_needed_rows(used.reshape(observable_shape), row_shape) for used in users]
        return cls(pub.shape, expansions, row_shape, observable_shape, groups, rows)

    @cached_property
    def row_of(self) -> NDArray[np.intp]:
        """(S,) the parameter row of each element."""
        return np.broadcast_to(_indices(self.row_shape), self.shape).reshape(-1)

    @cached_property
    def observable_of(self) -> NDArray[np.intp]:
        """(S,) the observable of each element."""
        return np.broadcast_to(_indices(self.observable_shape), self.shape).reshape(-1)

    def estimate(
        self, counts: list[list[dict[str, int]]], shots: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values and standard errors in the pub's shape."""
        constants = np.array([terms.get((), 0.0) for terms in self.expansions])
        evs = constants[self.observable_of].astype(float)  # (S,)
        variances = np.zeros_like(evs)
        for group, rows, per_row in zip(self.groups, self.rows, counts, strict=True):
            outcomes = _Outcomes.of(per_row, sorted(group.basis))
            for index, terms in enumerate(self.expansions):
                mine = {term: c for term, c in terms.items() if term in group.terms}
                if not mine:
                    continue
                means, spread = outcomes.moments(mine, shots)  # (rows,)
                elements = np.flatnonzero(self.observable_of == index)
                where = np.searchsorted(rows, self.row_of[elements])
                evs[elements] += means[where]
                variances[elements] += spread[where] / shots
        return evs.reshape(self.shape), np.sqrt(variances).reshape(self.shape)


def _indices(shape: tuple[int, ...]) -> NDArray[np.intp]:
    return np.arange(math.prod(shape), dtype=np.intp).reshape(shape)


def _needed_rows(used: NDArray[np.bool_], rows: tuple[int, ...]) -> NDArray[np.intp]:
    """The rows that meet a used observable when both are broadcast, ascending.

    The broadcast itself is not made: it may have a hundred million elements.
    """
    dims = max(used.ndim, len(rows))
    padded = (1,) * (dims - len(rows)) + rows
    mask = used.reshape((1,) * (dims - used.ndim) + used.shape)
    for axis, size in enumerate(padded):
        if size == 1:
            mask = np.asarray(mask.any(axis=axis, keepdims=True))
    return np.flatnonzero(np.broadcast_to(mask, padded))


@dataclass(frozen=True)
class _Outcomes:
    """The counts of many rows in flat arrays; bit i of an outcome is the i-th measured qubit."""

    bit: dict[int, int]
    values: NDArray[np.uint64]  # (K,) outcomes of all rows, one row after the other
    weights: NDArray[np.float64]  # (K,) how often each occurred
    starts: NDArray[np.intp]  # (rows,) where each row begins

    @classmethod
    def of(cls, per_row: list[dict[str, int]], measured: list[int]) -> _Outcomes:
        sizes = [len(counts) for counts in per_row]
        total = sum(sizes)
        read = (1 << len(measured)) - 1  # behind them are bits that the circuit itself measures
        keys = (int(key, 16) & read for counts in per_row for key in counts)
        numbers = (number for counts in per_row for number in counts.values())
        return cls(
            bit={qubit: i for i, qubit in enumerate(measured)},
            values=np.fromiter(keys, dtype=np.uint64, count=total),
            weights=np.fromiter(numbers, dtype=np.float64, count=total),
            starts=np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp),
        )

    def moments(
        self, terms: dict[Term, float], shots: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and variance over the shots of Σ coefficient·(±1), per row.

        A single shot shows no variance: there the largest that is possible is stated.
        """
        combined = np.zeros(len(self.values))
        for term, coefficient in terms.items():
            mask = np.uint64(sum(1 << self.bit[qubit] for qubit, _ in term))
            combined += coefficient * _signs(self.values & mask)
        means = np.add.reduceat(self.weights * combined, self.starts) / shots
        squares = np.add.reduceat(self.weights * combined**2, self.starts) / shots
        if shots == 1:
            return means, np.full_like(means, sum(map(abs, terms.values())) ** 2)
        return means, np.maximum(squares - means**2, 0.0)


def _signs(masked: NDArray[np.uint64]) -> NDArray[np.float64]:
    """(−1)^(number of set bits)."""
    folded = masked.copy()
    for shift in (32, 16, 8, 4, 2, 1):
        folded ^= folded >> np.uint64(shift)
    return 1.0 - 2.0 * (folded & np.uint64(1)).astype(np.float64)
