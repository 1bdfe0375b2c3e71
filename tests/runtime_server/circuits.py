"""Cut a measured 133-qubit template down to the qubits that need a simulation.

The client's Estimator measures, and from resilience level 1 on twirls, every qubit of the device.
A qubit that no other one is coupled to, and that ends in |0⟩ or in |1⟩ with certainty for every set
of parameters, is an idle one with a random Pauli on it: its bits are known without a simulation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter

_PASSIVE = ("barrier", "delay", "measure", "id")
_CERTAIN = 1e-9


def certain_bits(
    circuit: QuantumCircuit, values: NDArray[np.float64]
) -> dict[int, NDArray[np.bool_]]:
    """Outcomes of the qubits that are measured with certainty, without noise.

    Args:
        circuit: With final measurements.
        values: Parameter values, (…, P) in the order of `circuit.parameters`.

    Returns:
        Qubit index → its bit, (…), for qubits without a gate on two qubits, a reset or a
        measurement that something follows, whose outcome no set of parameters leaves open.
    """
    index = {bit: i for i, bit in enumerate(circuit.qubits)}
    column = {parameter: i for i, parameter in enumerate(circuit.parameters)}
    gates: dict[int, list[Any]] = {i: [] for i in range(circuit.num_qubits)}
    measured: set[int] = set()
    for item in circuit.data:
        touched = [index[bit] for bit in item.qubits]
        simple = len(touched) == 1 and isinstance(item.operation, Gate)
        if item.name == "measure":
            measured.update(touched)
        elif item.name not in _PASSIVE:
            for qubit in touched:
                if not simple or qubit in measured:
                    gates.pop(qubit, None)
                elif qubit in gates:
                    gates[qubit].append(item)
    found = {}
    for qubit, items in gates.items():
        one = _probability_of_one(items, column, values)
        if one is not None and np.all((one < _CERTAIN) | (one > 1 - _CERTAIN)):
            found[qubit] = one > 0.5
    return found


def restrict_measured(circuit: QuantumCircuit, qubits: Sequence[int]) -> QuantumCircuit:
    """The circuit on some of its qubits, with all of its classical bits.

    Device qubit `qubits[i]` becomes qubit i; the bits of the others stay 0.
    """
    position = {circuit.qubits[qubit]: i for i, qubit in enumerate(qubits)}
    reduced = QuantumCircuit(len(qubits), global_phase=circuit.global_phase)
    loose = [bit for bit in circuit.clbits if not circuit.find_bit(bit).registers]
    reduced.add_bits(loose)
    reduced.add_register(*circuit.cregs)
    for item in circuit.data:
        kept = [position[bit] for bit in item.qubits if bit in position]
        if item.name == "barrier":
            if kept:
                reduced.barrier(kept)
        elif kept:
            reduced.append(item.operation, kept, item.clbits, copy=False)
    return reduced


def register_bits(circuit: QuantumCircuit, qubits: Collection[int]) -> list[tuple[int, str, int]]:
    """(qubit, classical register, position in it) of the final measurements of some qubits."""
    found = []
    for item in circuit.data:
        if item.name == "measure":
            qubit = circuit.find_bit(item.qubits[0]).index
            if qubit in qubits:
                places = circuit.find_bit(item.clbits[0]).registers
                found += [(qubit, register.name, place) for register, place in places]
    return found


def observed_qubits(passthrough: Any) -> set[int]:
    """Qubits with a factor of an observable in what the client's Estimator hands through.

    The real service has no need to look there. Here it tells a qubit that is in |0⟩ and measured
    from one that is idle, so that the former gets its readout errors.
    """
    tasks = passthrough.get("qiskit_mitigation", []) if isinstance(passthrough, dict) else []
    found: set[int] = set()
    for task in tasks:
        for label in _labels(task.get("observables", [])):
            found.update(q for q, letter in enumerate(reversed(label)) if letter != "I")
    return found


def _labels(nested: Any) -> Iterator[str]:
    for item in nested:
        if isinstance(nested, dict):
            yield item
        else:
            yield from _labels(item)


def _probability_of_one(
    items: list[Any], column: dict[Parameter, int], values: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """P(1) after gates on one qubit in |0⟩, (…); None for an expression that isn't evaluated."""
    state: NDArray[Any] = np.zeros((*values.shape[:-1], 2), dtype=complex)
    state[..., 0] = 1.0
    for item in items:
        if not any(isinstance(value, Parameter) for value in item.params):
            if item.operation.is_parameterized():
                return None
            state = state @ item.operation.to_matrix().T
        elif item.name == "rz":
            phase = 0.5j * values[..., column[item.params[0]]]
            state = state * np.stack([np.exp(-phase), np.exp(phase)], axis=-1)
        elif item.name == "rx":
            angle = 0.5 * values[..., column[item.params[0]], None]
            state = np.cos(angle) * state - 1j * np.sin(angle) * state[..., ::-1]
        else:
            return None
    return np.asarray(np.abs(state[..., 1]) ** 2, dtype=float)
