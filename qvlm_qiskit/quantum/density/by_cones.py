"""The density-matrix engine of a noisy circuit: as a whole, or as its observables' light cones.

A channel keeps the trace: what it does to qubits that nothing reads cancels, as a gate does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
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
from qvlm_qiskit.quantum.program.cones import Cone, are_worth_it, cones_of, widest
from qvlm_qiskit.quantum.split import Part, Reading, Slots, SplitEngine, string_of

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
    cones = cones_of(acts, [[qubit for _, qubit in string.letters] for string in active])
    whole = Cone(tuple(range(len(acts))), tuple(range(program.num_qubits)), ())
    fits = program.num_qubits <= MAX_DENSITY_QUBITS and reads_few
    if fits and not are_worth_it(cones, whole, 4):
        return DensityEngine(program, observables, num_batched)
    _check_widths(cones, active)
    offsets = sum(
        (string.idle * string.weights for string in strings if not string.letters),
        np.zeros(len(observables)),
    )
    parts = _parts(program, cones, active, num_batched)
    return SplitEngine(program.angles, num_batched, offsets.tolist(), parts)


def _width_read(observables: Sequence[SparsePauliOp]) -> int:
    """How many qubits some observable reads."""
    strings = (string for one in observables for string in one.to_sparse_list())
    return len({int(qubit) for _, qubits, _ in strings for qubit in qubits})


def _check_widths(cones: Sequence[Cone], strings: Sequence[_String]) -> None:
    """Refuse a cone that no density matrix holds.

    Raises:
        CapacityError: There is one; it names the widest.
    """
    if cones:
        cone = widest(cones)
        column = np.flatnonzero(strings[cone.strings[0]].weights)[0]
        check_density_qubits(len(cone.qubits), f"the light cone of observable {column}")


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


def _parts(
    program: NoisyProgram, cones: Sequence[Cone], strings: Sequence[_String], num_batched: int
) -> list[Part]:
    """The cones, sorted by what happens in them but for angles, and by what is read."""
    kinds: dict[Hashable, list[Cone]] = defaultdict(list)
    for cone in cones:
        kinds[_kind(program, cone, strings)].append(cone)
    return [_part(program, alike, strings, num_batched) for alike in kinds.values()]


def _kind(program: NoisyProgram, cone: Cone, strings: Sequence[_String]) -> Hashable:
    steps = tuple(
        (step.qubits, step.parts.tobytes(), step.row is None) for step in _steps(program, cone)
    )
    read = program.noise.measurement
    local = sorted(
        (
            letter,
            place,
            read(program.active[cone.qubits[place]], letter).tobytes(),
        )
        for letter, place in {
            pair for index in cone.strings for pair in _local(cone, strings[index])
        }
    )
    return len(cone.qubits), steps, tuple(_labels(cone, strings)), tuple(local)


def _labels(cone: Cone, strings: Sequence[_String]) -> list[tuple[tuple[str, int], ...]]:
    """The strings that are read, by label, each once."""
    return sorted({_local(cone, strings[index]) for index in cone.strings})


def _local(cone: Cone, string: _String) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((letter, cone.qubits.index(qubit)) for letter, qubit in string.letters))


def _steps(program: NoisyProgram, cone: Cone) -> list[NoisyStep]:
    """A cone's steps on its own numbers of qubits."""
    place = {qubit: label for label, qubit in enumerate(cone.qubits)}
    steps = [program.steps[index] for index in cone.operations]
    return [replace(step, qubits=tuple(place[q] for q in step.qubits)) for step in steps]


def _part(
    program: NoisyProgram, cones: Sequence[Cone], strings: Sequence[_String], num_batched: int
) -> Part:
    rows = [_rows(program, cone) for cone in cones]
    slots = Slots.of(program.angles, rows, num_batched)
    labels = _labels(cones[0], strings)
    width = len(cones[0].qubits)
    observables = [string_of(letters, width) for letters in labels]
    plan = DensityEngine(_template(program, cones[0], slots), observables, len(slots.own))
    readings: list[Reading] = []
    for number, cone in enumerate(cones):
        for index in cone.strings:
            string = strings[index]
            place = labels.index(_local(cone, string))
            for column in np.flatnonzero(string.weights).tolist():
                weight = float(string.weights[column]) * string.idle
                readings.append((number, place, column, weight))
    return Part(plan, slots, rows, readings)


def _rows(program: NoisyProgram, cone: Cone) -> list[int]:
    """The rows of a cone's angles, in order of application."""
    steps = [program.steps[index] for index in cone.operations]
    return [step.row for step in steps if step.row is not None]


def _template(program: NoisyProgram, cone: Cone, slots: Slots) -> NoisyProgram:
    """A cone with parameters for its angles."""
    table, row = slots.table()
    steps: list[NoisyStep] = []
    count = 0
    for step in _steps(program, cone):
        if step.row is not None:
            step = replace(step, row=row[count])
            count += 1
        steps.append(step)
    width = len(cone.qubits)
    noise = _Relabelled(program.noise, tuple(program.active[q] for q in cone.qubits))
    return NoisyProgram(width, width, tuple(range(width)), tuple(steps), table, noise)
