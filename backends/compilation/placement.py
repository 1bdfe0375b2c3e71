"""Move a compiled circuit to the qubits of a device where it is likeliest to run without error."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

import rustworkx as rx
from qiskit import QuantumCircuit
from qiskit.transpiler import Target

from qvlm_qiskit.backends.pubs.put import put

# Placements that are compared, and steps of the search for them: both well under 0.1 s.
MAX_PLACEMENTS = 1000
MAX_STEPS = 100_000


def best_placement(
    circuit: QuantumCircuit, target: Target, measured: Sequence[int]
) -> dict[int, int]:
    """Where each used qubit should go: the placement with the highest Σ log(1 − ε).

    An estimator's circuit has no measurements, so the transpiler's own choice of qubits knows
    nothing of readout errors. Here the compiled circuit is laid onto places of the device that
    have the same connections, and the readout counts.

    Args:
        circuit: Compiled for the target.
        target: The device with its errors.
        measured: Device qubits that are read out.

    Returns:
        Device qubit → device qubit for all used and measured ones; the identity where no place is
        better.
    """
    counts = operations(circuit, measured)
    best = {qubit: qubit for qubit in used_qubits(counts)}
    score = placed_log_success(counts, target, best)
    for placement in islice(placements(counts, target), MAX_PLACEMENTS):
        found = placed_log_success(counts, target, placement)
        if found > score + 1e-12:
            best, score = placement, found
    return best


def moved(circuit: QuantumCircuit, placement: Mapping[int, int]) -> QuantumCircuit:
    """The same instructions on other qubits of the device, without those on idle qubits."""
    index = {bit: i for i, bit in enumerate(circuit.qubits)}
    result = QuantumCircuit(circuit.num_qubits, name=circuit.name, metadata=circuit.metadata)
    result.global_phase = circuit.global_phase
    bits = result.qubits
    for item in circuit.data:
        qubits = [placement[index[bit]] for bit in item.qubits if index[bit] in placement]
        if len(qubits) == len(item.qubits):
            put(result, item, [bits[qubit] for qubit in qubits])
        elif item.name == "barrier" and qubits:
            result.barrier(qubits)
    return result


Operations = Counter[tuple[str, tuple[int, ...]]]
"""How often every operation acts on some qubits, in order."""


def operations(circuit: QuantumCircuit, measured: Sequence[int]) -> Operations:
    """What a circuit does where, readouts of its `measured` qubits included."""
    index = {bit: i for i, bit in enumerate(circuit.qubits)}
    counts = Counter(
        (item.name, tuple(index[bit] for bit in item.qubits))
        for item in circuit.data
        if item.name not in ("barrier", "delay")
    )
    counts.update(("measure", (qubit,)) for qubit in measured)
    return counts


def used_qubits(counts: Operations) -> list[int]:
    """The qubits that operations act on, ascending."""
    return sorted({qubit for _, qubits in counts for qubit in qubits})


def placements(
    counts: Operations, target: Target, free: Collection[int] | None = None
) -> Iterator[dict[int, int]]:
    """Places with all the connections that operations use, in their direction.

    Args:
        counts: The operations.
        target: The device.
        free: Its qubits that may be used; None: all.

    Yields:
        Qubit of the operations → device qubit. The search ends after `MAX_STEPS` steps.
    """
    used = used_qubits(counts)
    places = sorted(range(target.num_qubits) if free is None else free)
    if len(places) < len(used):
        return
    pattern, device = rx.PyDiGraph(), rx.PyDiGraph()
    node = {qubit: i for i, qubit in enumerate(used)}
    pattern.add_nodes_from(list(used))
    pairs = {qubits for _, qubits in counts if len(qubits) == 2}
    pattern.add_edges_from_no_data([(node[a], node[b]) for a, b in pairs])
    position = {qubit: i for i, qubit in enumerate(places)}
    device.add_nodes_from(places)
    names = {name for name, qubits in counts if len(qubits) == 2}
    edges = sorted({qubits for name in names for qubits in target[name] if qubits is not None})
    device.add_edges_from_no_data(
        [(position[a], position[b]) for a, b in edges if a in position and b in position]
    )
    found = rx.vf2_mapping(
        device, pattern, subgraph=True, induced=False, id_order=False, call_limit=MAX_STEPS
    )
    for mapping in found:  # device node → pattern node
        yield {used[qubit]: places[place] for place, qubit in mapping.items()}


def placed_log_success(counts: Operations, target: Target, placement: Mapping[int, int]) -> float:
    """Σ log(1 − ε) of operations on other qubits; −∞ where one of them is not offered there."""
    total = 0.0
    for (name, qubits), times in counts.items():
        placed = tuple(placement[qubit] for qubit in qubits)
        if placed not in (target[name] or {}):
            return -math.inf
        total += times * log_keep(target, name, placed)
    return total


def states_errors(target: Target) -> bool:
    """True when the target states the error of a placed two-qubit gate."""
    for name in target.operation_names:
        for operands, properties in (target[name] or {}).items():
            if operands is not None and len(operands) == 2 and properties is not None:
                return properties.error is not None
    return False


def log_success(circuit: QuantumCircuit, target: Target, measured: Sequence[int]) -> float:
    """Σ log(1 − ε) over the gates of an ISA circuit and the readout of its `measured` qubits.

    Errors count as independent, and idling as free; the number ranks layouts, it does not predict
    a result.

    Args:
        circuit: A circuit in the target's gates.
        target: The device with its calibration.
        measured: Device qubits that are read out.
    """
    index = {bit: i for i, bit in enumerate(circuit.qubits)}
    total = sum(log_keep(target, "measure", (qubit,)) for qubit in measured)
    for item in circuit.data:
        total += log_keep(target, item.name, tuple(index[bit] for bit in item.qubits))
    return total


def log_keep(target: Target, name: str, qubits: tuple[int, ...]) -> float:
    """The log of 1 − ε of one operation; 0 where the target states no error."""
    if name not in target.operation_names:
        return 0.0
    properties = target[name].get(qubits)
    error = properties.error if properties is not None else None
    if not error:
        return 0.0
    return math.log1p(-error) if error < 1 else -math.inf
