"""What is measured at the end of a noisy circuit: bases, readout errors, values, shots."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import SparsePauliOp
from torch import Tensor

from qvlm_qiskit.errors import CapacityError, CircuitError
from qvlm_qiskit.quantum.density.noisy_program import NoisyProgram

Term = tuple[tuple[int, str], ...]
"""A Pauli string as ((circuit qubit, letter), …) with ascending qubits."""

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Components = tuple[Indices, Floats, Indices]
Constant = Callable[[Any, Any, Tensor], Tensor]

MAX_READ = 1 << 14
"""Components of a state that are read one by one."""


MAX_READ_QUBITS = 12
"""Qubits that are measured together: every outcome has a probability of its own."""


@dataclass(frozen=True, eq=False)
class MeasuredGroup:
    """Qubit-wise commuting terms, which one measured circuit serves.

    Attributes:
        basis: Measured circuit qubits and their letters; active ones first, both ascending.
        readings: Per active qubit, what is read: ``(2, 4)`` rows ⟨I⟩ and the measured Pauli, or
            ``(1, 4)`` for a qubit that is not measured.
        idle: Mean readings of measured qubits that nothing acts on.
        weights: ``(2**m, n_observables)``: coefficients of the products of readings.
    """

    basis: tuple[tuple[int, str], ...]
    readings: tuple[Floats, ...]
    idle: tuple[float, ...]
    weights: Floats

    def strings(self, state: Tensor, constant: Constant, qubits: Sequence[int]) -> Tensor:
        """Means of the products of measured values, ``(B or 1, 2**m)``.

        Bit i of the index is the i-th measured qubit.

        Args:
            state: ``(B or 1, 4**n)``.
            constant: Makes a tensor of an array, with a name to keep it by.
            qubits: Of its n digits, least significant first; ascending.
        """
        rows = state.shape[0]
        for qubit in qubits:
            matrix = constant(("reading", id(self), qubit), self.readings[qubit], state)
            state = state.reshape(rows, -1, 4) @ matrix.T
            state = state.transpose(1, 2)
        strings = state.reshape(rows, -1)
        for qubit, mean in enumerate(self.idle):
            pair = constant(("idle", id(self), qubit), np.array([1.0, mean]), strings)
            strings = (pair[:, None] * strings[:, None, :]).flatten(1)
        return strings


def measured_groups(
    program: NoisyProgram, observables: Sequence[SparsePauliOp]
) -> list[MeasuredGroup]:
    """Few groups of qubit-wise commuting terms that cover all observables.

    The identity belongs to the first group; there is always one.

    Raises:
        CircuitError: An observable that is not Hermitian, or not of the circuit's width.
        CapacityError: More than `MAX_READ_QUBITS` are measured together.
    """
    terms = measured_terms(program, observables)
    groups: list[tuple[dict[int, str], list[Term]]] = []
    # the same greedy order as everywhere: the longest terms first
    for term in sorted(set(terms) - {()}, key=lambda t: (-len(t), t)):
        home = next((g for g in groups if all(g[0].get(q, p) == p for q, p in term)), None)
        if home is None:
            home = ({}, [])
            groups.append(home)
        home[0].update(term)
        home[1].append(term)
    if not groups:
        groups.append(({}, []))
    groups[0][1].append(())
    return [_group(program, basis, members, terms, len(observables)) for basis, members in groups]


def qubits_read(groups: Sequence[MeasuredGroup]) -> list[int]:
    """Active qubits that are measured in some group."""
    measured = ((q for q, rows in enumerate(g.readings) if len(rows) == 2) for g in groups)
    return sorted({qubit for qubits in measured for qubit in qubits})


def read_components(
    groups: Sequence[MeasuredGroup],
) -> Components | None:
    """Components of the final state that are read, what each adds, and to which observable.

    The state's digits are the qubits that are read, ascending. None where the components are more
    than `MAX_READ`.
    """
    index, factor, column = [], [], []
    qubits = qubits_read(groups)
    for group in groups:
        rows = [np.flatnonzero(group.weights[s]) for s in range(len(group.weights))]
        for string, observables in enumerate(rows):
            if not observables.size:
                continue
            places, values = _string(group, string, qubits)
            for observable in observables:
                index += list(places)
                factor += list(values * group.weights[string, observable])
                column += [observable] * len(places)
            if len(index) > MAX_READ:
                return None
    return np.array(index, np.int64), np.array(factor), np.array(column, np.int64)


def _string(group: MeasuredGroup, string: int, qubits: Sequence[int]) -> tuple[Indices, Floats]:
    """What the product of readings in a string reads."""
    places: Indices = np.zeros(1, np.int64)
    values: Floats = np.ones(1)
    bit = 0
    for digit, reading in enumerate(group.readings[qubit] for qubit in qubits):
        measured = len(reading) == 2
        row = reading[1 if measured and string >> bit & 1 else 0]
        bit += measured
        letters = np.flatnonzero(row)
        places = (places[:, None] + letters * 4**digit).ravel()
        values = (values[:, None] * row[letters]).ravel()
    for mean in group.idle:
        values = values * (mean if string >> bit & 1 else 1.0)
        bit += 1
    return places, values


def sampled(
    groups: Sequence[MeasuredGroup],
    outcomes: Sequence[Floats],
    shots: int,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Means and standard errors from drawn outcomes, each ``(B, n_observables)``.

    The standard error of an observable is the root of Σ_groups var/shots, where var is the
    variance of its sum of terms over the group's shots.

    Args:
        groups: What is measured.
        outcomes: Their probabilities ``(B, 2**m)``.
        shots: Per group and row.
        rng: Where the draws come from.
    """
    means: Floats = np.zeros(1)
    variances: Floats = np.zeros(1)
    for group, probabilities in zip(groups, outcomes, strict=True):
        normalised = probabilities / probabilities.sum(-1, keepdims=True)
        counts = rng.multinomial(shots, normalised)  # (B, 2**m)
        values = _signs(len(group.weights)) @ group.weights  # (2**m, n_observables)
        mean = counts @ values / shots
        means = means + mean
        found = np.maximum(counts @ values**2 / shots - mean**2, 0.0)
        if shots == 1:  # shows no variance: the largest that is possible is stated
            found = np.broadcast_to(np.abs(group.weights[1:]).sum(0) ** 2, mean.shape)
        variances = variances + found / shots
    return means, np.sqrt(variances)


def measured_terms(
    program: NoisyProgram, observables: Sequence[SparsePauliOp]
) -> dict[Term, Floats]:
    """Every Pauli string with its coefficients ``(n_observables,)``.

    Raises:
        CircuitError: An observable that is not Hermitian, or not of the circuit's width.
    """
    terms: dict[Term, Floats] = {}
    for column, observable in enumerate(observables):
        if observable.num_qubits != program.width:
            raise CircuitError(
                f"observable {column} acts on {observable.num_qubits} qubits, the circuit has "
                f"{program.width}"
            )
        for letters, qubits, coefficient in observable.to_sparse_list():
            value = complex(coefficient)
            if abs(value.imag) > 1e-12 * max(1.0, abs(value)):
                raise CircuitError(
                    f"observable {column} is not Hermitian: coefficient {coefficient}"
                )
            term = tuple(sorted(zip((int(q) for q in qubits), letters, strict=True)))
            weights = terms.setdefault(term, np.zeros(len(observables)))
            weights[column] += value.real
    return terms


def _group(
    program: NoisyProgram,
    basis: dict[int, str],
    members: Iterable[Term],
    terms: dict[Term, Floats],
    num_observables: int,
) -> MeasuredGroup:
    active = [q for q in program.active if q in basis]
    idle = sorted(set(basis) - set(active))
    measured = [*active, *idle]
    if len(measured) > MAX_READ_QUBITS:
        raise CapacityError(
            f"{len(measured)} qubits are measured together; density matrices read at most "
            f"{MAX_READ_QUBITS}: use method='aer'"
        )
    readings = []
    for qubit in program.active:
        rows = [np.array([1.0, 0.0, 0.0, 0.0])]
        if qubit in basis:
            rows.append(program.noise.measurement(qubit, basis[qubit]))
        readings.append(np.array(rows))
    # a program on less than two qubits runs beside idle ones, which come last
    readings += [np.array([[1.0, 0.0, 0.0, 0.0]])] * (2 - len(readings))
    # |0⟩ has ⟨I⟩ = ⟨Z⟩ = 1
    means = [program.noise.measurement(q, basis[q]) @ [1.0, 0.0, 0.0, 1.0] for q in idle]
    weights = np.zeros((2 ** len(measured), num_observables))
    for term in members:
        if term in terms:
            weights[sum(1 << measured.index(qubit) for qubit, _ in term)] += terms[term]
    return MeasuredGroup(
        tuple((q, basis[q]) for q in measured), tuple(readings), tuple(map(float, means)), weights
    )


def _signs(size: int) -> Floats:
    """(-1)^|outcome ∧ string|, ``(size, size)``."""
    index = np.arange(size)
    signs: Floats = 1.0 - 2.0 * (np.bitwise_count(index[:, None] & index) & 1)
    return signs
