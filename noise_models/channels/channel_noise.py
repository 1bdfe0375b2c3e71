"""From a `NoiseSpec` to the channels of the density-matrix engine."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator
from qiskit.transpiler import PassManager
from qiskit.transpiler.passes import Optimize1qGatesDecomposition

from qvlm_qiskit.basics.pauli_transfer import Ptm, unitary_ptm
from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.noise_models.channels.crosstalk import (
    couplings_of,
    crosstalk_angle,
    disturbed_pairs,
)
from qvlm_qiskit.noise_models.channels.idle import delay_ns, idle_ptm, idle_times
from qvlm_qiskit.noise_models.channels.matrices import (
    anywhere_ptm,
    depolarizing_ptm,
    placed_ptm,
    source_ptm,
)
from qvlm_qiskit.noise_models.channels.parts import gate_part, qubit_part, source_parts
from qvlm_qiskit.noise_models.description.bounds import check_factor
from qvlm_qiskit.noise_models.description.entries import QubitNoise
from qvlm_qiskit.noise_models.description.gates import noisy_instruction, standard_gates
from qvlm_qiskit.noise_models.description.kinds import EVERY
from qvlm_qiskit.noise_models.description.protocol import NoiseDescription, readout_after
from qvlm_qiskit.noise_models.description.sources import GATE_SOURCES, is_silent

Qubits: TypeAlias = tuple[int, ...]
Rotation = Callable[[int, str], QuantumCircuit]
"""(qubit, "X" or "Y") → the one-qubit circuit that turns this basis to Z on the device."""


class ChannelNoise:
    """The noise of a description as Pauli transfer matrices; what `build` is for Aer.

    It answers the two questions that `qvlm_qiskit.quantum.noise.NoiseChannels` asks: what follows
    an instruction, and what a measurement reads.

    Args:
        spec: The noise.
        rotation: How a qubit's basis is changed before it is measured; by default the shortest
            sequence of the description's own gates. The noise of those gates counts.
        factor: Scales the noise as `scaled` does, but only what circuits use: a device's broken
            qubit that can't be scaled is no obstacle to the others.
        dt: Seconds of the unit "dt" of delays; None where there is no such unit.
        kinds: Kinds of error that are kept of the scaled noise, as `only_kinds` does.

    Raises:
        NoiseModelError: An unknown instruction, or an over-rotation of a gate without fixed angle.
    """

    def __init__(
        self,
        spec: NoiseDescription,
        rotation: Rotation | None = None,
        factor: float = 1.0,
        dt: float | None = None,
        kinds: Collection[str] = EVERY,
    ) -> None:
        spec.check()
        check_factor(factor)
        self.spec = spec
        self._sources = source_parts((source.scaled(factor) for source in spec.sources), kinds)
        self._factor = factor
        self._kinds = kinds
        self._dt = dt
        self._rotation = rotation or self._shortest
        self._placed = {(gate.name, gate.qubits): gate for gate in spec.gates}
        self._couplings = couplings_of(spec.gates)
        self._angle = crosstalk_angle(self._sources)
        self._own: dict[tuple[str, Qubits], Ptm | None] = {}
        self._readings: dict[tuple[int, str], NDArray[np.float64]] = {}
        for source in spec.sources:
            if isinstance(source, GATE_SOURCES):
                for name in source.gates:
                    source_ptm(source, name, noisy_instruction(name).num_qubits)

    def after(
        self, name: str, qubits: Qubits, acting: Collection[int], width: int
    ) -> list[tuple[Qubits, Ptm]]:
        """The channels that follow an instruction, in order: (qubits, matrix).

        Args:
            name: The instruction's name.
            qubits: Its operands.
            acting: Qubits that some instruction of the circuit acts on; the others stay in |0⟩.
            width: Number of qubits of the circuit.

        Raises:
            CircuitError: An instruction that the described device doesn't have.
        """
        if (name, qubits) not in self._own:
            self._check(name, qubits)
            self._own[name, qubits] = self._own_ptm(name, qubits)
        own = self._own[name, qubits]
        channels = [] if own is None else [(qubits, own)]
        if self._angle and len(qubits) == 2:
            gate = (qubits[0], qubits[1])
            for qubit, other in disturbed_pairs(self._couplings, gate, acting, width):
                pair = (qubit,) if other is None else (qubit, other)
                channels.append((pair, _zz_ptm(self._angle, len(pair))))
        return channels

    def idle(self, qubit: int, duration: Any, unit: str) -> Ptm | None:
        """What a delay does to a qubit; None where it does nothing.

        Args:
            qubit: As the circuit counts it.
            duration: As the delay says it.
            unit: Likewise.

        Raises:
            CircuitError: A duration that is not known.
        """
        self._check_qubit(qubit)
        times = idle_times(self._qubit(qubit), self._sources)
        return idle_ptm(times, delay_ns(duration, unit, self._dt)) if times else None

    def measurement(self, qubit: int, pauli: str) -> NDArray[np.float64]:
        """What the measured ±1 of a Pauli is on average: coefficients of ⟨I⟩, ⟨X⟩, ⟨Y⟩, ⟨Z⟩.

        The qubit is turned to Z by the device's own noisy gates and read with its readout error:
        ⟨Z⟩ becomes (1 − p(1|0) − p(0|1))·⟨Z⟩ + p(0|1) − p(1|0).
        """
        if (qubit, pauli) not in self._readings:
            up, down = self._readout(qubit)
            reading = np.array([down - up, 0.0, 0.0, 1.0 - up - down])
            if pauli != "Z":
                circuit = self._rotation(qubit, pauli)
                for item in reversed(circuit.data):
                    for _, ptm in reversed(self.after(item.name, (qubit,), (qubit,), qubit + 1)):
                        reading = reading @ ptm
                    reading = reading @ unitary_ptm(Operator(item.operation).data)
            self._readings[qubit, pauli] = reading
        return self._readings[qubit, pauli]

    def _readout(self, qubit: int) -> tuple[float, float]:
        self._check_qubit(qubit)
        return readout_after(self._qubit(qubit), self._sources)

    def _qubit(self, qubit: int) -> QubitNoise:
        """What is kept of a qubit's errors, scaled."""
        if not self.spec.qubits:
            return QubitNoise()
        return qubit_part(self.spec.qubits[qubit].scaled(self._factor), self._kinds)

    def _check_qubit(self, qubit: int) -> None:
        if self.spec.qubits and qubit >= len(self.spec.qubits):
            raise CircuitError(
                f"{self.spec.name} describes {len(self.spec.qubits)} qubits, the circuit uses "
                f"qubit {qubit}"
            )

    def _check(self, name: str, qubits: Qubits) -> None:
        """Refuse what the device can't do: its noise would silently be none."""
        self._check_qubit(max(qubits))
        if name not in self.spec.basis_gates:
            shown = ", ".join(n for n in self.spec.basis_gates if n in standard_gates())
            raise CircuitError(
                f"{name!r} is no gate of {self.spec.name} (its gates: {shown}): compile the "
                "circuit for the device first, as open_backend('noisy:…') does"
            )
        if len(qubits) == 2 and self._couplings is not None and (name, qubits) not in self._placed:
            raise CircuitError(f"{self.spec.name} has no {name} on qubits {list(qubits)}")

    def _own_ptm(self, name: str, qubits: Qubits) -> Ptm | None:
        ptm = None
        gate = self._placed.get((name, qubits))
        if gate is not None:
            whole = [self.spec.qubits[qubit].scaled(self._factor) for qubit in qubits]
            part = gate_part(gate.scaled(self._factor), whole, self._kinds)
            ptm = placed_ptm(part, [self._qubit(qubit) for qubit in qubits])
        elif (name, ()) in self._placed:
            scaled = self._placed[name, ()].scaled(self._factor)
            ptm = anywhere_ptm(gate_part(scaled, (), self._kinds))
        for source in self._sources:
            if isinstance(source, GATE_SOURCES) and name in source.gates and not is_silent(source):
                step = source_ptm(source, name, len(qubits))
                ptm = step if ptm is None else step @ ptm
        still = ptm is None or np.array_equal(ptm, depolarizing_ptm(0.0, len(qubits)))
        return None if still else ptm

    def _shortest(self, qubit: int, pauli: str) -> QuantumCircuit:
        circuit = QuantumCircuit(1)
        if pauli == "Y":
            circuit.sdg(0)
        circuit.h(0)
        basis = [name for name in self.spec.basis_gates if name in standard_gates()]
        return PassManager([Optimize1qGatesDecomposition(basis=basis)]).run(circuit)


def _zz_ptm(angle: float, width: int) -> Ptm:
    """exp(−i·angle/2·Z⊗Z), or its second qubit in |0⟩."""
    z = np.array([1.0, -1.0])
    signs = z if width == 1 else np.kron(z, z)
    return unitary_ptm(np.diag(np.exp(-0.5j * angle * signs)))
