"""Which operations each Pauli string sees, so that a wide circuit becomes several narrow ones.

What is looked at are the qubits of operations and of strings only: the same cut serves
statevectors, density matrices and circuits that are not compiled yet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Instruction
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.quantum.program.lifetimes import Lives, lives

Qubits = Sequence[int]
_IDLE = ("barrier", "delay")
WORTH = 8
"""A circuit that fits is run as its cones where that takes so many times fewer operations."""


@dataclass(frozen=True)
class Cone:
    """What some Pauli strings depend on.

    Attributes:
        operations: Indices, in an order of application that cones of one shape share.
        qubits: Likewise; a qubit's place is its label within the cone.
        strings: Indices of the strings that see nothing else; the first one sees all of it.
    """

    operations: tuple[int, ...]
    qubits: tuple[int, ...]
    strings: tuple[int, ...]


def cones_of(acts: Sequence[Qubits], supports: Sequence[Collection[int]]) -> list[Cone]:
    """The light cones of Pauli strings; one that lies within another is part of that.

    Read backwards, an operation that acts on no qubit of a string, nor on a qubit that a later kept
    operation connects to one, cancels against its own inverse.

    Args:
        acts: The qubits of every operation, in order of application.
        supports: The qubits of every string, at least one each.

    Returns:
        Cones in order of their first strings. Those that are equal but for their qubits' numbers
        have their operations and qubits in the same order, as far as that follows from the
        operations alone.
    """
    places: dict[frozenset[int], int] = {}
    of_string = [places.setdefault(frozenset(support), len(places)) for support in supports]
    kept = _kept(acts, list(places))
    homes = _homes(kept)
    members: dict[int, list[int]] = defaultdict(list)
    for string, place in enumerate(of_string):
        members[homes[place]].append(string)
    found = []
    for home, strings in members.items():
        strings.sort(key=lambda string: of_string[string] != home)
        operations = np.flatnonzero(kept[:, home]).tolist()
        found.append(replace(_ordered(operations, acts), strings=tuple(strings)))
    return found


def width_under_noise(circuit: QuantumCircuit, observables: Sequence[SparsePauliOp]) -> int:
    """The most qubits that a light cone has at a time, of a circuit that is compiled or not.

    Bits connect qubits too, and count where they do.
    """
    acts = list(_supports(circuit, range(circuit.num_qubits + circuit.num_clbits)))
    active = {qubit for qubits in acts for qubit in qubits}
    strings = [active.intersection(q) for one in observables for _, q, _ in one.to_sparse_list()]
    read = [string for string in strings if string]
    return max((lives_of(cone, acts, read).peak for cone in cones_of(acts, read)), default=0)


def lives_of(cone: Cone, acts: Sequence[Qubits], supports: Sequence[Collection[int]]) -> Lives:
    """What a cone's states hold where qubits join and leave them.

    Args:
        cone: From `cones_of`, with these arguments.
        acts: The qubits of every operation, in order of application.
        supports: The qubits of every string.
    """
    read = {qubit for string in cone.strings for qubit in supports[string]}
    return lives([acts[index] for index in cone.operations], read)


def _supports(circuit: QuantumCircuit, wires: Sequence[int]) -> Iterator[list[int]]:
    """The wires of every instruction, those inside of one that only stands for a circuit."""
    place = dict(zip([*circuit.qubits, *circuit.clbits], wires, strict=True))
    for item in circuit.data:
        own = [place[bit] for bit in (*item.qubits, *item.clbits)]
        if type(item.operation) in (Gate, Instruction) and item.operation.definition is not None:
            yield from _supports(item.operation.definition, own)
        elif item.name not in _IDLE:
            yield own


def are_worth_it(costs: Iterable[int], whole: int) -> bool:
    """Whether cones one by one cost `WORTH` times less than a circuit as a whole."""
    return whole >= WORTH * sum(costs)


def joint(cones: Sequence[Cone]) -> Cone:
    """All cones as one, in no particular order."""
    parts = ((cone.operations, cone.qubits, cone.strings) for cone in cones)
    return Cone(*(tuple(set().union(*each)) for each in zip(*parts, strict=True)))


def _kept(acts: Sequence[Qubits], supports: Sequence[Collection[int]]) -> npt.NDArray[np.bool_]:
    """Which operations ``(n_operations, n_supports)`` the strings of each support see."""
    width = 1 + max((q for qubits in (*acts, *supports) for q in qubits), default=-1)
    seen = np.zeros((width, len(supports)), dtype=np.bool_)
    for column, support in enumerate(supports):
        seen[list(support), column] = True
    kept = np.zeros((len(acts), len(supports)), dtype=np.bool_)
    for index in reversed(range(len(acts))):
        rows = list(acts[index])
        kept[index] = seen[rows].any(axis=0)
        seen[rows] |= kept[index]
    return kept


def _homes(kept: npt.NDArray[np.bool_]) -> list[int]:
    """For each column, the first widest one that keeps all that it keeps."""
    first: dict[bytes, int] = {}
    packed = np.packbits(kept.T, axis=1)
    same = [first.setdefault(row.tobytes(), place) for place, row in enumerate(packed)]
    columns = {p: frozenset(np.flatnonzero(kept[:, p]).tolist()) for p in first.values()}
    homes: dict[int, int] = {}
    holders: dict[int, list[int]] = defaultdict(list)
    for place in sorted(columns, key=lambda place: -len(columns[place])):
        own = columns[place]
        # few cones hold the last operation
        rivals = holders[max(own)] if own else []
        homes[place] = next((rival for rival in rivals if own <= columns[rival]), place)
        if homes[place] == place:
            for operation in own:
                holders[operation].append(place)
    return [homes[place] for place in same]


def _ordered(operations: Sequence[int], acts: Sequence[Qubits]) -> Cone:
    """Operations by their distance from the end, qubits by the operations that bring them in."""
    depth: dict[int, int] = defaultdict(int)
    level: dict[int, int] = {}
    for index in reversed(operations):
        level[index] = max(depth[qubit] for qubit in acts[index])
        depth.update(dict.fromkeys(acts[index], level[index] + 1))
    label: dict[int, int] = {}

    def first(index: int) -> tuple[Any, ...]:
        known = [label[qubit] for qubit in acts[index] if qubit in label]
        return (min(known),) if known else (len(label), min(acts[index]))

    backwards: list[int] = []
    for _, group in groupby(sorted(operations, key=level.__getitem__), key=level.__getitem__):
        # those of one level share no qubit
        for index in sorted(group, key=first):
            backwards.append(index)
            for qubit in acts[index]:
                label.setdefault(qubit, len(label))
    return Cone(tuple(reversed(backwards)), tuple(label), ())
