"""Pubs whose circuits act on disjoint qubits as one pub, and its answer taken apart again.

A device measures all of its qubits in every execution, so circuits that act on different ones cost
together what one of them costs. What is merged here has the shape (observables, rows): the rows of
one member run side by side with those of the others, and a member with fewer rows repeats its last
one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray

from qvlm_qiskit.backends.pubs.active_qubits import active_qubits
from qvlm_qiskit.backends.pubs.put import put
from qvlm_qiskit.backends.pubs.strands import Floats, flat_values

COUNTS = ("circuits", "executions")
Bundle = tuple[int, ...]
"""Places of pubs, in a list of them, that are merged."""


Kind = tuple[float | None, tuple[tuple[str, int], ...]]
"""Precision and gates on several qubits: circuits of one kind take equally long."""


def bundles(
    pubs: Sequence[EstimatorPub], reach: Mapping[int, Collection[int]] | None = None
) -> list[Bundle]:
    """Which pubs can be merged: of equal precision and equally long, and on qubits apart.

    Args:
        pubs: Of the shape (observables, rows), as `Strand.pub` makes them.
        reach: For every qubit, those that no other member of its bundle may use; by default itself
            alone.

    Returns:
        Each pub in one bundle; the first of a bundle has the most rows.
    """
    taken: dict[Kind, list[tuple[list[int], set[int], set[int]]]] = {}
    order = sorted(range(len(pubs)), key=lambda i: -pubs[i].parameter_values.size)
    for number in order:
        own = set(active_qubits(pubs[number].circuit, pubs[number].observables, dynamic=True))
        around = own.union(*(reach.get(q, ()) for q in own)) if reach else own
        known = taken.setdefault(_kind(pubs[number]), [])
        for members, qubits, closed in known:
            if not own & closed and not around & qubits:
                members.append(number)
                qubits |= own
                closed |= around
                break
        else:
            known.append(([number], set(own), set(around)))
    found = [tuple(members) for kind in taken.values() for members, _, _ in kind]
    return sorted(found, key=lambda members: min(members))


def _kind(pub: EstimatorPub) -> Kind:
    counts = Counter(
        item.name for item in pub.circuit.data if len(item.qubits) > 1 and item.name != "barrier"
    )
    return pub.precision, tuple(sorted(counts.items()))


def merged(pubs: Sequence[EstimatorPub]) -> EstimatorPub:
    """One pub that runs all of them side by side; a single one is returned as it is.

    Args:
        pubs: A bundle's: of the shape (observables, rows), on disjoint qubits of one device.
    """
    if len(pubs) == 1:
        return pubs[0]
    rows = max(pub.parameter_values.size for pub in pubs)
    circuits, columns, names = [], [], []
    for number, pub in enumerate(pubs):
        own = {p: _named(f"{number}:{p.name}") for p in pub.circuit.parameters}
        circuits.append(_renamed(pub.circuit, own))
        columns.append(_padded(flat_values(pub), rows))
        names += [own[p].name for p in pub.circuit.parameters]
    circuit = _side_by_side(circuits)
    values = np.concatenate(columns, axis=1)
    kept = {parameter.name for parameter in circuit.parameters}
    places = [place for place, name in enumerate(names) if name in kept]
    data = {tuple(names[place] for place in places): values[:, places]} if places else {}
    observables = [o for pub in pubs for o in pub.observables.sparse_observables_array().ravel()]
    array = np.empty(len(observables), dtype=object)
    array[:] = observables
    return EstimatorPub(
        circuit,
        ObservablesArray(array.reshape(-1, 1), num_qubits=circuit.num_qubits, validate=False),
        BindingsArray(data, shape=(rows,)),
        pubs[0].precision,
        validate=False,
    )


def _named(name: str) -> Parameter:
    """A parameter that equals every other one of its name, so that merging again gives the same."""
    return Parameter(name, uuid=uuid5(NAMESPACE_OID, name))


def _renamed(circuit: QuantumCircuit, names: Mapping[Parameter, Parameter]) -> QuantumCircuit:
    """The circuit without its global phase, of which no value depends, and with other names."""
    own = circuit.copy()
    own.global_phase = 0.0
    used = {parameter: name for parameter, name in names.items() if parameter in own.parameters}
    own.assign_parameters(used, inplace=True)
    return own


def _padded(values: Floats, rows: int) -> Floats:
    return np.concatenate([values, np.repeat(values[-1:], rows - len(values), axis=0)])


def _side_by_side(circuits: Sequence[QuantumCircuit]) -> QuantumCircuit:
    """All circuits on one register, instruction by instruction, so that their layers coincide."""
    result = QuantumCircuit(circuits[0].num_qubits)
    bits = result.qubits
    places = [dict(zip(circuit.qubits, bits, strict=True)) for circuit in circuits]
    for step in zip_longest(*(circuit.data for circuit in circuits)):
        for item, index in zip(step, places, strict=True):
            if item is not None:
                put(result, item, [index[bit] for bit in item.qubits])
    return result


@dataclass(frozen=True)
class Share:
    """A member's part of a merged pub's answer.

    Attributes:
        evs: (O, R) expectation values.
        stds: (O, R) standard errors.
        metadata: That of the whole, with its part of the costs.
    """

    evs: Floats
    stds: Floats
    metadata: dict[str, Any]


def shares(
    pubs: Sequence[EstimatorPub], evs: Any, stds: Any, metadata: Mapping[str, Any]
) -> list[Share]:
    """What the answer of `merged(pubs)` says of each of them.

    Args:
        pubs: The members.
        evs: (ΣO, rows) values.
        stds: (ΣO, rows) standard errors.
        metadata: The answer's. Its costs are divided in proportion to the members' rows, so that
            they add up to those of the whole.
    """
    if len(pubs) == 1:
        return [Share(np.asarray(evs), np.asarray(stds), dict(metadata))]
    rows = [pub.parameter_values.size for pub in pubs]
    costs = {key: _divided(metadata[key], rows) for key in COUNTS if metadata.get(key) is not None}
    found, first = [], 0
    for number, (pub, count) in enumerate(zip(pubs, rows, strict=True)):
        mine = slice(first, first + pub.observables.size), slice(0, count)
        first += pub.observables.size
        own = {key: cost[number] for key, cost in costs.items()}
        about = {**_without_arrays(metadata), **own, "packed_pubs": len(pubs)}
        found.append(Share(np.asarray(evs)[mine], np.asarray(stds)[mine], about))
    return found


def _without_arrays(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of the whole; arrays have its shape, which is not the members'."""
    return {
        key: _without_arrays(value) if isinstance(value, Mapping) else value
        for key, value in metadata.items()
        if not isinstance(value, np.ndarray)
    }


def _divided(total: int, weights: Iterable[int]) -> list[int]:
    """Whole parts in proportion to weights, which add up to the total."""
    bounds = np.cumsum([0, *weights])
    steps = [total * int(bound) // int(bounds[-1]) for bound in bounds]
    return [high - low for low, high in pairwise(steps)]
