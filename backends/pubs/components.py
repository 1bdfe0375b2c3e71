"""Circuits that fall into parts without a gate between them: each part is simulated by itself.

Copies of a circuit on k places of a device are one circuit of k times as many qubits; its state is
a product, and so is every distribution that is sampled from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import rustworkx as rx
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.pubs.active_qubits import active_qubits
from qvlm_qiskit.backends.pubs.put import put
from qvlm_qiskit.backends.pubs.strands import Floats, flat_values

_PASSIVE = ("barrier", "delay")
Written = Callable[[QuantumCircuit], QuantumCircuit]


@dataclass(frozen=True, eq=False)
class Part:
    """What a pub of the shape (observables, rows) is on some of its qubits.

    Attributes:
        pub: The instructions on these qubits, and the observables there.
        observables: (O,) places of these observables in the whole pub.
    """

    pub: EstimatorPub
    observables: NDArray[np.intp]


def components(
    circuit: QuantumCircuit, qubits: Iterable[int], joined: Iterable[Sequence[int]] = ()
) -> list[tuple[int, ...]]:
    """Sets of qubits between which no gate acts, each ascending.

    Args:
        circuit: With every interaction written out, crosstalk too.
        qubits: Those that are asked about.
        joined: Further qubits that belong together.
    """
    index = {bit: i for i, bit in enumerate(circuit.qubits)}
    graph = rx.PyGraph()
    graph.add_nodes_from(range(circuit.num_qubits))
    groups = [
        [index[bit] for bit in item.qubits] for item in circuit.data if item.name not in _PASSIVE
    ]
    for group in (*groups, *joined):
        graph.add_edges_from_no_data([(group[0], other) for other in group[1:]])
    asked = set(qubits)
    found = [tuple(sorted(asked & members)) for members in rx.connected_components(graph)]
    return sorted(own for own in found if own)


Places = NDArray[np.intp]


def divided(
    pub: EstimatorPub, written: Written = lambda circuit: circuit
) -> list[tuple[tuple[int, ...], Places]] | None:
    """The components of a pub's circuit, each with the places of its observables.

    Args:
        pub: Of the shape (observables, rows).
        written: Writes what acts beside the circuit's own gates into it.

    Returns:
        Those with observables; observables of no qubit belong to the first one. None where there
        is one component only.
    """
    if pub.observables.ndim != 2 or pub.parameter_values.ndim != 1:
        return None
    array = pub.observables.sparse_observables_array(copy=False).ravel()
    supports = [sorted({int(qubit) for qubit in one.indices}) for one in array]
    active = active_qubits(pub.circuit, pub.observables)
    found = components(written(pub.circuit), active, [support for support in supports if support])
    if len(found) == 1:
        return None
    owner = {qubit: number for number, own in enumerate(found) for qubit in own}
    where = np.array([owner[support[0]] if support else 0 for support in supports], dtype=np.intp)
    used = [np.flatnonzero(where == number) for number in range(len(found))]
    return [(own, places) for own, places in zip(found, used, strict=True) if len(places)]


def parts(pub: EstimatorPub, written: Written = lambda circuit: circuit) -> list[Part] | None:
    """A pub in parts, each on a component of its circuit; None where there is one only.

    Args:
        pub: Of the shape (observables, rows).
        written: Writes what acts beside the circuit's own gates into it.
    """
    found = divided(pub, written)
    if found is None:
        return None
    circuits = _circuits(pub.circuit, [own for own, _ in found])
    return [
        Part(_on(pub, circuit, places), places)
        for circuit, (_, places) in zip(circuits, found, strict=True)
    ]


def _circuits(source: QuantumCircuit, sets: Sequence[Sequence[int]]) -> list[QuantumCircuit]:
    """A circuit's instructions on some sets of qubits, in one pass; barriers are divided."""
    made = [
        QuantumCircuit(*source.qregs) if source.qregs else QuantumCircuit(source.num_qubits)
        for _ in sets
    ]
    owner = {source.qubits[qubit]: number for number, own in enumerate(sets) for qubit in own}
    bits = [dict(zip(source.qubits, circuit.qubits, strict=True)) for circuit in made]
    for item in source.data:
        for number in dict.fromkeys(owner[bit] for bit in item.qubits if bit in owner):
            kept = [bits[number][bit] for bit in item.qubits if owner.get(bit) == number]
            if len(kept) == len(item.qubits):
                put(made[number], item, kept)
            elif item.name == "barrier":
                made[number].barrier(kept)
    return made


def _on(pub: EstimatorPub, circuit: QuantumCircuit, places: Places) -> EstimatorPub:
    """A part's circuit with the pub's observables of those places and its values."""
    names = {parameter.name: place for place, parameter in enumerate(pub.circuit.parameters)}
    columns = [names[parameter.name] for parameter in circuit.parameters]
    values = flat_values(pub)[:, columns]
    data = {tuple(circuit.parameters): values} if columns else {}
    return EstimatorPub(
        circuit,
        pub.observables.ravel()[places].reshape(-1, 1),
        BindingsArray(data, shape=pub.parameter_values.shape),
        pub.precision,
        validate=False,
    )


def together(
    pub: EstimatorPub, split: Iterable[Part], answers: Iterable[tuple[Floats, Floats]]
) -> tuple[Floats, Floats]:
    """Values and standard errors (O, R) of a pub from those of its parts."""
    evs, stds = np.zeros(pub.shape), np.zeros(pub.shape)
    for part, (values, errors) in zip(split, answers, strict=True):
        evs[part.observables] = values
        stds[part.observables] = errors
    return evs, stds
