"""ISA circuit and noise → real matrices on one or two qubits, in order of application."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from qiskit import QuantumCircuit

from qvlm_qiskit.basics.pauli_transfer import Ptm, unitary_ptm
from qvlm_qiskit.errors import CapacityError, CircuitError
from qvlm_qiskit.quantum.density.superoperators import rotation_ptm
from qvlm_qiskit.quantum.noise import IdleNoise, Measurements, NoiseChannels
from qvlm_qiskit.quantum.program.angles import AngleTable
from qvlm_qiskit.quantum.program.builder import ProgramBuilder
from qvlm_qiskit.quantum.program.hamiltonian_evolutions import Evolution
from qvlm_qiskit.quantum.program.lifetimes import lives
from qvlm_qiskit.quantum.program.operations import (
    AmplitudeLoad,
    FixedUnitary,
    Operation,
    QubitIndex,
)

MAX_DENSITY_QUBITS = 10
"""4ⁿ numbers per sample: 8 MiB at 10 qubits, and a training step keeps hundreds of them."""


@dataclass(frozen=True, eq=False)
class NoisyStep:
    """R₀ + cos θ R₁ + sin θ R₂ on one or two qubits, or R₀ alone.

    Attributes:
        qubits: Active qubits; the first is the least significant digit.
        parts: ``(3, 4**k, 4**k)``, or ``(1, 4**k, 4**k)`` for a constant.
        row: Of θ in the angle table; None for a constant.
    """

    qubits: tuple[QubitIndex, ...]
    parts: Ptm
    row: int | None = None


@dataclass(frozen=True, eq=False)
class NoisyProgram:
    """A circuit with its noise as steps on its active qubits.

    Attributes:
        num_qubits: Active qubits: those that an instruction acts on.
        width: Qubits of the circuit.
        active: The circuit's index of each active qubit, ascending.
        steps: In order of application.
        angles: The gate angles as functions of the parameters.
        noise: What the measurement of a qubit reads.
    """

    num_qubits: int
    width: int
    active: tuple[QubitIndex, ...]
    steps: tuple[NoisyStep, ...]
    angles: AngleTable
    noise: Measurements


def compile_noisy(
    circuit: QuantumCircuit, noise: NoiseChannels, parameters: Sequence[Any] | None = None
) -> NoisyProgram:
    """Translate an ISA circuit gate by gate, each followed by its noise.

    Of any width: whether a density matrix fits is asked by those that make one.

    Args:
        circuit: In the gates of the device; barriers and a final layout are allowed.
        noise: What follows each instruction.
        parameters: Order of the parameter vector, by default ``circuit.parameters``.

    Raises:
        CircuitError: An instruction that the noise is not known of (compile the circuit first),
            that is not unitary, that acts on more than two qubits, or a delay whose duration
            is not known.
    """
    order = list(circuit.parameters if parameters is None else parameters)
    unknown = sorted(p.name for p in set(circuit.parameters) - set(order))
    if unknown:
        raise CircuitError(f"circuit parameters without a value: {', '.join(unknown)}")
    index = {bit: i for i, bit in enumerate(circuit.qubits)}
    items = [
        (item, tuple(index[bit] for bit in item.qubits))
        for item in circuit.data
        if item.name != "barrier"
    ]
    acting = {qubit for item, qubits in items if item.name != "delay" for qubit in qubits}
    active = tuple(sorted(acting))
    position = {qubit: i for i, qubit in enumerate(active)}
    table = AngleTable(len(order))
    builder = ProgramBuilder(table, {p: i for i, p in enumerate(order)}, len(active), [])
    steps: list[NoisyStep] = []
    for item, qubits in items:
        if item.name == "delay":
            if qubits[0] in position:  # an idle qubit stays in |0⟩
                steps += _idle(item.operation, qubits[0], position[qubits[0]], noise)
            continue
        if item.clbits or item.name == "reset":
            raise CircuitError(
                f"the density-matrix engine takes no {item.name!r} in a circuit: shots on Aer run "
                "it, open_backend('noisy:…', method='aer', shots=…)"
            )
        channels = noise.after(item.name, qubits, acting, circuit.num_qubits)
        if not item.is_standard_gate():
            raise CircuitError(
                f"instruction {item.name!r} is no standard gate, so what a device does for it is "
                "not known: compile the circuit for the device first"
            )
        if item.name != "id":
            done = len(builder.operations)
            builder.append(item.operation, tuple(position[qubit] for qubit in qubits))
            steps += [_step(made) for made in builder.operations[done:]]
        for places, ptm in channels:
            steps.append(NoisyStep(tuple(position[q] for q in places), np.asarray(ptm)[None]))
    return NoisyProgram(len(active), circuit.num_qubits, active, tuple(steps), table, noise)


def narrowed(program: NoisyProgram, read: Collection[int]) -> NoisyProgram:
    """The steps that some qubits depend on, in an order whose states are small.

    Args:
        program: The circuit.
        read: Active qubits.

    Raises:
        CapacityError: The states are not small enough.
    """
    found = lives([step.qubits for step in program.steps], read)
    check_density_qubits(found.peak)
    return replace(program, steps=tuple(program.steps[index] for index in found.order))


def check_density_qubits(count: int, what: str = "the circuit") -> None:
    """Refuse what a density matrix can't hold.

    Args:
        count: How many qubits.
        what: What needs them, for the message.

    Raises:
        CapacityError: More than ``MAX_DENSITY_QUBITS``.
    """
    if count > MAX_DENSITY_QUBITS:
        raise CapacityError(
            f"{what} needs {count} qubits at a time; the density-matrix engine takes at most "
            f"{MAX_DENSITY_QUBITS} (4ⁿ numbers per sample). Use shots on Aer's trajectories "
            "instead: open_backend('noisy:…', method='aer', shots=…)"
        )


def _idle(delay: Any, qubit: int, place: QubitIndex, noise: NoiseChannels) -> list[NoisyStep]:
    if not isinstance(noise, IdleNoise):
        raise CircuitError(
            "the circuit has a delay, and this noise does not say what a delay does: remove it"
        )
    ptm = noise.idle(qubit, delay.duration, delay.unit)
    return [] if ptm is None else [NoisyStep((place,), np.asarray(ptm)[None])]


def _step(operation: Operation) -> NoisyStep:
    if isinstance(operation, AmplitudeLoad):
        raise CircuitError("an amplitude load is no device's gate: compile the circuit first")
    if isinstance(operation, Evolution):
        raise CircuitError("an evolution is no device's gate: compile the circuit first")
    if isinstance(operation, FixedUnitary):
        _check_width(len(operation.qubits))
        return NoisyStep(operation.qubits, unitary_ptm(operation.matrix)[None])
    _check_width((operation.x | operation.z).bit_count())
    qubits, parts = rotation_ptm(operation)
    return NoisyStep(qubits, parts, operation.angle)


def _check_width(width: int) -> None:
    if width > 2:
        raise CircuitError(
            f"the circuit has a gate on {width} qubits; the density-matrix engine takes ISA "
            "circuits, whose gates act on one or two"
        )
