"""The density-matrix engine of a noisy circuit: as a whole, or as its observables' light cones.

A channel keeps the trace: what it does to qubits that nothing reads cancels, as a gate does.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.quantum.density.engine import DensityEngine
from qvlm_qiskit.quantum.density.noisy_program import (
    MAX_DENSITY_QUBITS,
    NoisyProgram,
    NoisyStep,
    check_density_qubits,
)
from qvlm_qiskit.quantum.density.readout import MAX_READ_QUBITS, Term, measured_terms
from qvlm_qiskit.quantum.noise import Measurements
from qvlm_qiskit.quantum.program.angles import AngleTable
from qvlm_qiskit.quantum.program.cones import Cone, are_worth_it, cones_of, lives_of
from qvlm_qiskit.quantum.program.lifetimes import lives
from qvlm_qiskit.quantum.split import Letters, Slots, SplitEngine, parts_of

WHOLE_QUBITS = 6
"""Circuits of up to so many qubits are never split."""

_IDLE = np.array([1.0, 0.0, 0.0, 1.0])
"""⟨I⟩, ⟨X⟩, ⟨Y⟩, ⟨Z⟩ of |0⟩."""


def noisy_engine(
    program: NoisyProgram, observables: Sequence[SparsePauliOp], num_batched: int
) -> DensityEngine | SplitEngine:
    """What computes exact values under noise, differentiably.

    A circuit is split into light cones where these are too wide together, or far cheaper apart.

    Args:
        program: From :func:`~qvlm_qiskit.quantum.density.noisy_program.compile_noisy`.
        observables: On the circuit's qubits.
        num_batched: How many leading parameters are given per sample.

    Raises:
        CircuitError: An observable that is not Hermitian, or not of the circuit's width.
        CapacityError: One light cone alone has more qubits than a density matrix can hold.
    """
    # what is read together, idle qubits included, is one array of outcomes
    reads_few = _width_read(observables) <= MAX_READ_QUBITS
    if program.num_qubits <= WHOLE_QUBITS and reads_few:
        return DensityEngine(program, observables, num_batched)
    strings = [
        _String(program, term, weights)
        for term, weights in measured_terms(program, observables).items()
        if weights.any()
    ]
    active = [string for string in strings if string.letters]
    acts = [step.qubits for step in program.steps]
    supports = [[qubit for _, qubit in string.letters] for string in active]
    cones = cones_of(acts, supports)
    apart = [lives_of(cone, acts, supports) for cone in cones]
    whole = lives(acts, {qubit for support in supports for qubit in support})
    fits = whole.peak <= MAX_DENSITY_QUBITS and reads_few
    if fits and not are_worth_it([each.numbers for each in apart], whole.numbers):
        return DensityEngine(program, observables, num_batched)
    _check_widths(cones, [each.peak for each in apart], active)
    offsets = sum(
        (string.idle * string.weights for string in strings if not string.letters),
        np.zeros(len(observables)),
    )
    parts = parts_of(cones, _Cones(program, active), num_batched)
    return SplitEngine(program.angles, num_batched, offsets.tolist(), parts)


def _width_read(observables: Sequence[SparsePauliOp]) -> int:
    """How many qubits some observable reads."""
    strings = (string for one in observables for string in one.to_sparse_list())
    return len({int(qubit) for _, qubits, _ in strings for qubit in qubits})


def _check_widths(cones: Sequence[Cone], peaks: Sequence[int], strings: Sequence[_String]) -> None:
    """Refuse a cone that no density matrix holds.

    Raises:
        CapacityError: There is one; it names the widest.
    """
    if cones:
        peak, cone = max(zip(peaks, cones, strict=True), key=lambda pair: pair[0])
        column = np.flatnonzero(strings[cone.strings[0]].weights)[0]
        check_density_qubits(peak, f"the light cone of observable {column}")


@dataclass(frozen=True)
class _String:
    """A measured Pauli string.

    Attributes:
        program: Whose circuit is measured.
        term: On the circuit's qubits.
        weights: Its coefficients in the observables.
    """

    program: NoisyProgram
    term: Term
    weights: NDArray[np.float64]

    @cached_property
    def letters(self) -> list[tuple[str, int]]:
        """On active qubits."""
        place = {qubit: i for i, qubit in enumerate(self.program.active)}
        return [(letter, place[qubit]) for qubit, letter in self.term if qubit in place]

    @property
    def idle(self) -> float:
        """The mean of what is read of the other qubits."""
        read = self.program.noise.measurement
        active = set(self.program.active)
        others = [(qubit, letter) for qubit, letter in self.term if qubit not in active]
        return float(np.prod([read(*each) @ _IDLE for each in others]))


@dataclass(frozen=True)
class _Relabelled:
    """What measurements read, for a cone's own numbers of its qubits."""

    noise: Measurements
    qubits: tuple[int, ...]

    def measurement(self, qubit: int, pauli: str) -> NDArray[np.float64]:
        """The mean of a measured Pauli; see `NoiseChannels`."""
        return self.noise.measurement(self.qubits[qubit], pauli)


@dataclass(frozen=True)
class _Cones:
    """What is in the cones of a program; see `Splitting`."""

    program: NoisyProgram
    strings: Sequence[_String]

    @property
    def table(self) -> AngleTable:
        return self.program.angles

    def kind(self, cone: Cone) -> Hashable:
        steps = [
            (step.qubits, step.parts.tobytes(), step.row is None) for step in self._steps(cone)
        ]
        labels = sorted({letters for letters, _, _ in self.readings(cone)})
        read = self._noise(cone).measurement
        means = [read(place, letter).tobytes() for letters in labels for letter, place in letters]
        return len(cone.qubits), tuple(steps), tuple(labels), tuple(means)

    def rows(self, cone: Cone) -> list[int]:
        return [step.row for step in self._steps(cone) if step.row is not None]

    def readings(self, cone: Cone) -> Iterator[tuple[Letters, int, float]]:
        for string in (self.strings[index] for index in cone.strings):
            letters = tuple(sorted((p, cone.qubits.index(q)) for p, q in string.letters))
            for column in np.flatnonzero(string.weights).tolist():
                yield letters, column, float(string.weights[column]) * string.idle

    def plan(self, cone: Cone, slots: Slots, observables: Sequence[SparsePauliOp]) -> DensityEngine:
        table, rows = slots.table()
        width = len(cone.qubits)
        steps = (
            step if step.row is None else replace(step, row=next(rows))
            for step in self._steps(cone)
        )
        noise = self._noise(cone)
        template = NoisyProgram(width, width, tuple(range(width)), tuple(steps), table, noise)
        return DensityEngine(template, observables, len(slots.own))

    def row_bytes(self, cone: Cone) -> int:
        return 0

    def _noise(self, cone: Cone) -> _Relabelled:
        return _Relabelled(self.program.noise, tuple(self.program.active[q] for q in cone.qubits))

    def _steps(self, cone: Cone) -> list[NoisyStep]:
        """A cone's steps on its own numbers of qubits."""
        place = {qubit: label for label, qubit in enumerate(cone.qubits)}
        steps = [self.program.steps[index] for index in cone.operations]
        return [replace(step, qubits=tuple(place[q] for q in step.qubits)) for step in steps]
