"""Which pairs a two-qubit gate disturbs, and circuits that say so explicitly."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache

from qiskit import QuantumCircuit
from qiskit.circuit.library import RZGate, RZZGate

from qvlm_qiskit.noise_models.description.entries import GateNoise
from qvlm_qiskit.noise_models.description.protocol import NoiseDescription
from qvlm_qiskit.noise_models.description.sources import NoiseSource, ZZCrosstalk

LABEL = "zz_crosstalk"
Disturbed = tuple[int, int | None]
"""A gate's qubit and its neighbour; None for a neighbour that stays in |0⟩."""

_PASSIVE = ("barrier", "delay")


def crosstalk_angle(sources: Iterable[NoiseSource]) -> float:
    """φ of all crosstalk sources together, in radians."""
    return sum(s.angle_rad for s in sources if isinstance(s, ZZCrosstalk))


def disturbed_pairs(
    couplings: frozenset[tuple[int, int]] | None,
    gate: tuple[int, int],
    acting: Collection[int],
    width: int,
) -> list[Disturbed]:
    """The pairs of a gate's qubits and their neighbours outside the gate, in ascending order.

    Args:
        couplings: Coupled pairs; None for a line of qubits i and i + 1.
        gate: The gate's two qubits.
        acting: Qubits of the circuit that some instruction acts on.
        width: Number of qubits of the circuit.
    """
    pairs: list[Disturbed] = []
    for qubit in sorted(gate):
        for other in _neighbours(couplings, qubit, width):
            if other not in gate:
                pairs.append((qubit, other if other in acting else None))
    return pairs


def couplings_of(gates: Iterable[GateNoise]) -> frozenset[tuple[int, int]] | None:
    """The pairs of the placed two-qubit gates; None where the description places none."""
    pairs = frozenset((gate.qubits[0], gate.qubits[1]) for gate in gates if len(gate.qubits) == 2)
    return pairs or None


def with_crosstalk(circuit: QuantumCircuit, spec: NoiseDescription) -> QuantumCircuit:
    """The circuit with every crosstalk rotation written out behind its gate.

    The rotations are rzz and rz gates labelled "zz_crosstalk", which no noise model speaks of.

    Args:
        circuit: On all qubits of the device, before it is restricted to the active ones.
        spec: The device's noise; without crosstalk the circuit itself is returned.
    """
    angle = crosstalk_angle(spec.sources)
    if not angle:
        return circuit
    index = {bit: i for i, bit in enumerate(circuit.qubits)}
    acting = {index[b] for item in circuit.data if item.name not in _PASSIVE for b in item.qubits}
    couplings = couplings_of(spec.gates)
    written = circuit.copy_empty_like()
    for item in circuit.data:
        written.append(item)
        if item.name in _PASSIVE or len(item.qubits) != 2:
            continue
        gate = (index[item.qubits[0]], index[item.qubits[1]])
        for qubit, other in disturbed_pairs(couplings, gate, acting, circuit.num_qubits):
            if other is None:
                written.append(RZGate(angle, label=LABEL), [qubit])
            else:
                written.append(RZZGate(angle, label=LABEL), [qubit, other])
    return written


@lru_cache(maxsize=4096)
def _neighbours(
    couplings: frozenset[tuple[int, int]] | None, qubit: int, width: int
) -> tuple[int, ...]:
    if couplings is None:
        return tuple(q for q in (qubit - 1, qubit + 1) if 0 <= q < width)
    found = {pair[1 - pair.index(qubit)] for pair in couplings if qubit in pair}
    return tuple(sorted(found))
