"""Program → steps: what the torch executor does one after the other, as few of them as possible.

A device like a GPU takes about as long for any operation on small states, so their number decides.
One-qubit operations are collected into layers, consecutive permutations (CX, X, SWAP, CCX …) into
one index table and consecutive diagonal gates (CZ …) into one vector of phases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from qvlm_qiskit.quantum.program.fusion import permutation_of
from qvlm_qiskit.quantum.program.hamiltonian_evolutions import Evolution
from qvlm_qiskit.quantum.program.operations import (
    AmplitudeLoad,
    FixedUnitary,
    Matrix,
    PauliRotation,
    QubitIndex,
)
from qvlm_qiskit.quantum.program.program import Program

MAX_TABLE_QUBITS = 20
"""Above this a table of 2ⁿ entries per step takes too much memory, and gates stay matrices."""

Gate: TypeAlias = PauliRotation | FixedUnitary
Chain: TypeAlias = tuple[Gate, ...]
"""One-qubit operations on one qubit, in order of application."""
Integers: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class GateLayer:
    """At most one chain per qubit."""

    chains: dict[QubitIndex, Chain]


@dataclass(frozen=True, eq=False)
class Permutation:
    """New amplitude i is the old amplitude ``source[i]``."""

    source: Integers


@dataclass(frozen=True, eq=False)
class Diagonal:
    """Amplitude i is multiplied by ``phases[i]``."""

    phases: Matrix


Step: TypeAlias = GateLayer | Permutation | Diagonal | Gate | Evolution


def steps_of(program: Program) -> list[Step]:
    """Group the operations of a program; an amplitude load is left out."""
    size = program.num_qubits
    steps: list[Step] = []
    open_chains: dict[QubitIndex, list[Gate]] = {}
    for operation in program.operations:
        if isinstance(operation, AmplitudeLoad):
            continue
        qubits = qubits_of(operation)
        if len(qubits) == 1 and not isinstance(operation, Evolution):
            open_chains.setdefault(qubits[0], []).append(operation)
            continue
        if open_chains.keys() & set(qubits):
            steps.append(_layer(open_chains))
            open_chains = {}
        if qubits:  # a rotation about the identity is a global phase
            _append(steps, operation, size)
    return [*steps, _layer(open_chains)] if open_chains else steps


def qubits_of(operation: Gate | Evolution) -> tuple[QubitIndex, ...]:
    """The qubits that an operation acts on."""
    if isinstance(operation, FixedUnitary | Evolution):
        return operation.qubits
    mask = operation.x | operation.z
    return tuple(q for q in range(mask.bit_length()) if mask >> q & 1)


def axes_of(qubits: Sequence[QubitIndex], num_qubits: int) -> list[int]:
    """A state's shape with an axis of its own for each of some ascending qubits.

    The most significant one comes first, at axis 1; between two and around all are the others.
    """
    shape, above = [], num_qubits
    for qubit in reversed(qubits):
        shape += [1 << (above - qubit - 1), 2]
        above = qubit
    return [*shape, 1 << above]


def _layer(chains: dict[QubitIndex, list[Gate]]) -> GateLayer:
    return GateLayer({qubit: tuple(chain) for qubit, chain in sorted(chains.items())})


def _append(steps: list[Step], operation: Gate | Evolution, num_qubits: int) -> None:
    """Add an operation on several qubits, as part of the last step where that is possible."""
    last = steps[-1] if steps else None
    new: Step = operation
    if isinstance(operation, FixedUnitary) and num_qubits <= MAX_TABLE_QUBITS:
        new = _table(operation, num_qubits)
    if isinstance(new, Permutation) and isinstance(last, Permutation):
        # new[i] = middle[b[i]] = old[a[b[i]]]
        steps[-1] = Permutation(last.source[new.source])
    elif isinstance(new, Diagonal) and isinstance(last, Diagonal):
        steps[-1] = Diagonal(last.phases * new.phases)
    else:
        steps.append(new)


def _table(gate: FixedUnitary, num_qubits: int) -> Step:
    """A gate that permutes or only multiplies, over the whole state; any other one as it is."""
    index = np.arange(1 << num_qubits)
    local = _bits(index, gate.qubits)
    source, diagonal = permutation_of(gate.matrix), np.diag(gate.matrix)
    if source is not None:
        moved: Integers = index
        for position, qubit in enumerate(gate.qubits):
            moved = moved ^ ((source[local] ^ local) >> position & 1) << qubit
        return Permutation(moved)
    if np.array_equal(gate.matrix, np.diag(diagonal)):
        return Diagonal(diagonal[local])
    return gate


def _bits(index: Integers, qubits: Sequence[QubitIndex]) -> Integers:
    """The bits of some qubits, the first one least significant."""
    local = np.zeros_like(index)
    for position, qubit in enumerate(qubits):
        local |= (index >> qubit & 1) << position
    return local
