"""Programs of the Runtime client's executor, simulated one set of connected qubits at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import rustworkx as rx
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2
from qiskit_ibm_runtime.fake_provider.executor.broadcast_sample import broadcast_sample
from qiskit_ibm_runtime.fake_provider.executor.run_quantum_program import run_quantum_program
from qiskit_ibm_runtime.options_models.simulator import SimulatorOptions
from qiskit_ibm_runtime.quantum_program import CircuitItem, QuantumProgram
from qiskit_ibm_runtime.results import QuantumProgramItemResult, QuantumProgramResult

from qvlm_qiskit.errors import CapacityError

_PASSIVE = ("barrier", "delay")
Bits = dict[str, NDArray[Any]]
Devices = Callable[[tuple[int, ...]], BackendV2]
Bound = tuple[QuantumCircuit, NDArray[np.float64]]
"""A measured circuit, and (…, P) values of its parameters."""


def run_in_parts(
    program: QuantumProgram, devices: Devices, seed: int, most: int
) -> QuantumProgramResult:
    """What `run_quantum_program` returns, without ever holding a state of all qubits.

    Args:
        program: Of measured circuits.
        devices: Gives the device of some of the program's qubits.
        seed: Of randomisation and simulation.
        most: Qubits that a simulation takes.

    Raises:
        CapacityError: More qubits than that are connected.
    """
    rng = np.random.default_rng(seed)
    drawn = [sampled(item, rng) for item in program.items]
    items = [(item.circuit, values) for item, (_, values) in zip(program.items, drawn, strict=True)]
    widest = range(max(item.circuit.num_qubits for item in program.items))
    found = bits_in_parts(items, widest, program.shots, devices, seed, most)
    results = [
        QuantumProgramItemResult(result={**extra, **bits}, metadata={})
        for (extra, _), bits in zip(drawn, found, strict=True)
    ]
    whole = QuantumProgramResult(
        data=results, metadata=None, passthrough_data=program.passthrough_data
    )
    whole._semantic_role = program._semantic_role  # noqa: SLF001  (as the client's own executor)
    return whole


def sampled(item: Any, rng: np.random.Generator) -> tuple[Bits, NDArray[np.float64]]:
    """What the randomisation of an item drew, and the circuit's parameter values (…, P)."""
    if isinstance(item, CircuitItem):
        return {}, np.asarray(item.circuit_arguments, dtype=float)
    drawn = broadcast_sample(item.samplex, item.samplex_arguments, item.shape, rng)
    values = drawn.pop("parameter_values", np.empty((*item.shape, 0)))
    return drawn, np.asarray(values, dtype=float)


def bits_in_parts(
    items: Sequence[Bound],
    qubits: Sequence[int],
    shots: int,
    devices: Devices,
    seed: int,
    most: int,
) -> list[Bits]:
    """The outcomes of circuits by register, each (…, shots, bits of the register).

    Args:
        items: Circuits of one device with their values.
        qubits: Those that are simulated; the bits of others stay 0.
        shots: Of each circuit.
        devices: Gives the device of some qubits.
        seed: Of the simulation.
        most: Qubits that a simulation takes.

    Raises:
        CapacityError: More qubits than that are connected.
    """
    found: list[Bits] = [{} for _ in items]
    parts = connected([circuit for circuit, _ in items], qubits)
    seeds = np.random.SeedSequence(seed).generate_state(len(parts)) >> 1
    for part, own in zip(parts, [seed] if len(parts) == 1 else seeds.tolist(), strict=True):
        if len(part) > most:
            raise CapacityError(
                f"{len(part)} qubits are connected; a local noisy simulation takes at most {most}"
            )
        reduced = [on_qubits(circuit, values, part) for circuit, values in items]
        asked = [CircuitItem(circuit, circuit_arguments=values) for circuit, values in reduced]
        answers = run_quantum_program(
            devices(part),
            QuantumProgram(shots=shots, items=asked),
            SimulatorOptions(seed_simulator=own),
        )
        for bits, answer in zip(found, answers, strict=True):
            for name, measured in answer.items():
                known = bits.get(name)
                bits[name] = np.array(measured) if known is None else known | measured
    return found


def connected(circuits: Sequence[QuantumCircuit], qubits: Sequence[int]) -> list[tuple[int, ...]]:
    """Sets of qubits that a gate of some circuit joins, each ascending."""
    graph = rx.PyGraph()
    graph.add_nodes_from(range(max(circuit.num_qubits for circuit in circuits)))
    for circuit in circuits:
        index = {bit: i for i, bit in enumerate(circuit.qubits)}
        for item in circuit.data:
            if item.name not in _PASSIVE and len(item.qubits) > 1:
                first, *others = (index[bit] for bit in item.qubits)
                graph.add_edges_from_no_data([(first, other) for other in others])
    asked = set(qubits)
    parts = [tuple(sorted(asked & members)) for members in rx.connected_components(graph)]
    return sorted(part for part in parts if part)


def on_qubits(circuit: QuantumCircuit, values: NDArray[np.float64], qubits: Sequence[int]) -> Bound:
    """A measured circuit on some of its qubits, with all of its registers and its values there."""
    position = {circuit.qubits[qubit]: i for i, qubit in enumerate(qubits)}
    reduced = QuantumCircuit(len(qubits))
    reduced.add_bits([bit for bit in circuit.clbits if not circuit.find_bit(bit).registers])
    reduced.add_register(*circuit.cregs)
    for item in circuit.data:
        kept = [position[bit] for bit in item.qubits if bit in position]
        if item.name == "barrier" and kept:
            reduced.barrier(kept)
        elif kept:
            reduced.append(item.operation, kept, item.clbits, copy=False)
    column = {parameter: i for i, parameter in enumerate(circuit.parameters)}
    return reduced, values[..., [column[parameter] for parameter in reduced.parameters]]
