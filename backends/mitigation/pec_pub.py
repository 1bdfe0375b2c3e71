"""One pub for many random circuits that differ by signs: of angles, of terms, of weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import SparseObservable

from qvlm_qiskit.backends.mitigation.pauli_frames import Bits, anticommutes
from qvlm_qiskit.backends.mitigation.template import AngleTemplate
from qvlm_qiskit.backends.pubs.digest import pub_digest
from qvlm_qiskit.backends.pubs.pauli_terms import Term, pauli_terms
from qvlm_qiskit.backends.pubs.shots import content_seed

Floats = NDArray[np.float64]

_FIRSTS = 2**30
"""Whole numbers of this size are further apart in double precision than what makes one row."""


@dataclass(frozen=True)
class Insertions:
    """M random circuits with at least one inserted Pauli each.

    Attributes:
        signs: (M,) ±1, the sign of the product of the weights.
        flips: (M, K) which angles of the template change sign.
        frames: (M, 2n) the Pauli that is left at the end of the circuit.
        turns: (M,) whole turns of an angle, which change nothing but that equal circuits are not
            one row of a ledger, and so one sample; None: they are.
    """

    signs: Floats
    flips: Bits
    frames: Bits
    turns: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class SampledPub:
    """One pub for all random circuits.

    Its parameter values are (M, 1, …, *rows) and its observables (T, …, *observables): the t-th
    term of every observable, each with the coefficient 1, so its values are (M, T, *shape).
    """

    source: EstimatorPub
    angles: Floats
    terms: ObservablesArray
    signs: Floats  # (M, 1, …) of as many dimensions as (M, *shape)
    weights: Floats  # (M, T, *shape): sign × ± × coefficient

    @classmethod
    def of(cls, pub: EstimatorPub, template: AngleTemplate, sample: Insertions) -> SampledPub:
        """The pub's observables term by term, its angles and weights with the sample's signs."""
        count, dims = len(sample.signs), len(pub.shape)
        angles = template.angles(pub.parameter_values)  # (*rows, K)
        flips = 1.0 - 2.0 * sample.flips.reshape(count, *[1] * (dims + 1), -1)
        turned = flips * angles  # (M, 1, *rows, K)
        if sample.turns is not None and turned.shape[-1]:
            turned[..., -1] += 2 * np.pi * sample.turns.reshape(count, *[1] * (dims + 1))
        terms, factors = _terms(pub.observables, sample)  # (T, *obs), (M, T, *obs)
        shape = [1] * (dims - pub.observables.ndim) + list(pub.observables.shape)
        return cls(
            pub,
            turned,
            terms.reshape((terms.shape[0], *shape)),
            sample.signs.reshape(count, *[1] * dims),
            sample.signs.reshape(count, *[1] * (dims + 1))
            * factors.reshape(count, terms.shape[0], *shape),
        )

    def pub(self, template: AngleTemplate, precision: float) -> EstimatorPub:
        """The pub to run, of shape (M, T, *shape)."""
        return EstimatorPub(
            template.circuit,
            self.terms,
            template.bindings(self.angles),
            precision,
            validate=False,
        )

    def read(self, evs: Floats) -> Floats:
        """(M, T, *shape) values → (M, *shape) signed values of the observables."""
        return np.asarray((self.weights * evs).sum(axis=1))


def outlined(
    pub: EstimatorPub, template: AngleTemplate, count: int, precision: float, part: int = 0
) -> EstimatorPub:
    """The pub of `count` circuits in its shape, before they are drawn.

    The angles of a row are one number that no other row of it, of another part or of another pub
    has: a ledger's forecast would take equal ones for one row.

    Args:
        pub: The source.
        template: Its circuit with free angles.
        count: M.
        precision: Of every circuit.
        part: Which of a technique's pubs of the same source it is.
    """
    dims, size = len(pub.shape), len(template.expressions)
    rows = pub.parameter_values.shape
    padded = (count, *[1] * (dims + 1 - len(rows)), *rows)
    first = content_seed(part, pub_digest(pub)) % _FIRSTS
    numbers = first + np.arange(math.prod(padded), dtype=float).reshape(*padded, 1)
    angles = np.broadcast_to(numbers, (*padded, size))
    terms = _split(pub.observables)
    shape = (terms.shape[0], *[1] * (dims - pub.observables.ndim), *pub.observables.shape)
    bindings = template.bindings(angles)
    return EstimatorPub(template.circuit, terms.reshape(shape), bindings, precision, validate=False)


def _split(observables: ObservablesArray) -> ObservablesArray:
    """The t-th term of every observable, with the coefficient 1, (T, *observables)."""
    nothing = Insertions(
        np.ones(1), np.zeros((1, 0), bool), np.zeros((1, 2 * observables.num_qubits), bool)
    )
    return _terms(observables, nothing)[0]


def _terms(observables: ObservablesArray, sample: Insertions) -> tuple[ObservablesArray, Floats]:
    """The observables term by term, and coefficient × sign of every term in every circuit."""
    width = observables.num_qubits
    flat = [list(pauli_terms(o).items()) for o in observables.sparse_observables_array().ravel()]
    longest = max((len(terms) for terms in flat), default=1) or 1
    single = np.empty((longest, len(flat)), dtype=object)
    factors = np.zeros((len(sample.signs), longest, len(flat)))
    for column, terms in enumerate(flat):
        for row in range(longest):
            term, coefficient = terms[row] if row < len(terms) else ((), 0.0)
            single[row, column] = _string(term, width)
            flips = anticommutes(sample.frames, _term_bits(term, width))
            factors[:, row, column] = coefficient * (1.0 - 2.0 * flips)
    array = ObservablesArray(
        single.reshape(longest, *observables.shape), num_qubits=width, validate=False
    )
    return array, factors.reshape(len(sample.signs), longest, *observables.shape)


def _string(term: Term, width: int) -> SparseObservable:
    letters, qubits = "".join(letter for _, letter in term), [qubit for qubit, _ in term]
    return SparseObservable.from_sparse_list([(letters, qubits, 1.0)], width)


def _term_bits(term: Term, width: int) -> Bits:
    bits = np.zeros(2 * width, dtype=bool)
    for qubit, letter in term:
        bits[qubit] = letter in "XY"
        bits[width + qubit] = letter in "ZY"
    return bits
