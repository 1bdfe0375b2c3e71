"""Program → plan: the few kinds of passes that the CPU kernels make over a batch of states.

Consecutive single-qubit operations on a qubit become one 2×2 matrix, consecutive permutations (CX,
X, SWAP, CCX …) one index table, consecutive diagonal gates (CZ …) one vector of phases. A plan
holds integers and constants only; angles are bound at every call.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from qvlm_qiskit.quantum.program.hamiltonian_evolutions import Evolution
from qvlm_qiskit.quantum.program.operations import (
    AmplitudeLoad,
    FixedUnitary,
    Matrix,
    PauliRotation,
)
from qvlm_qiskit.quantum.program.program import Program

# kinds of passes (first column of Plan.passes)
ONE_QUBIT, ROTATION, PERMUTATION, DENSE, DIAGONAL = range(5)
# axis of a factor of a fused 2×2 matrix: a rotation about X, Y, Z, or a constant matrix
CONSTANT = 3

Integers = npt.NDArray[np.int64]

MAX_PLAN_QUBITS = 22
"""Above this a plan has no tables: it names the order of the angles, and is not for the kernels."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What the kernels read; every array is C-contiguous.

    Attributes:
        num_qubits: n.
        load: The amplitude load that writes the initial state, None for |0…0⟩.
        passes: ``(n_passes, 5)``: kind and up to four integers, by kind:
            ONE_QUBIT (qubit, gate), ROTATION (x, z, angle, batched),
            PERMUTATION (table), DENSE (block), DIAGONAL (table).
        start: ``(n,)`` the gate that opens the circuit on every qubit, -1 for none; empty behind an
            amplitude load. These gates make a product state and are no passes.
        gate_factors: ``(n_gates + 1,)`` offsets into ``factors``.
        gate_batched: ``(n_gates,)`` whether a gate differs from sample to sample.
        factors: ``(n_factors, 3)``: axis, whether its angle is batched, index of the angle or of
            the constant; in order of application.
        constants: ``(n_constants, 2, 2)`` fixed single-qubit matrices.
        tables: ``(n_tables, 2**n)`` source index of every amplitude.
        phases: ``(n_diagonals, 2**n)`` complex phases.
        dense: Matrices of the DENSE passes, each with its qubits.
        shared_rows: Rows of the angle table that all samples share, in the kernels' order.
        batched_rows: Rows that differ from sample to sample.
        has_evolutions: Whether it has exponentials of Hamiltonians, which no pass here can do: such
            a plan names the order of the angles only.
    """

    num_qubits: int
    load: AmplitudeLoad | None
    passes: Integers
    start: Integers
    gate_factors: Integers
    gate_batched: npt.NDArray[np.bool_]
    factors: Integers
    constants: Matrix
    tables: npt.NDArray[np.int32]
    phases: Matrix
    dense: tuple[FixedUnitary, ...]
    shared_rows: Integers
    batched_rows: Integers
    has_evolutions: bool = False


def fuse(program: Program, num_batched: int) -> Plan:
    """Plan a program whose first ``num_batched`` parameters differ from sample to sample."""
    builder = _Fuser(program, num_batched)
    for operation in program.operations:
        builder.add(operation)
    return builder.finish()


@dataclass
class _Fuser:
    program: Program
    num_batched: int
    passes: list[list[int]] = field(default_factory=list)
    # factors of the fused gate that is still open on each qubit
    open: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    offsets: list[int] = field(default_factory=lambda: [0])
    factors: list[tuple[int, int, int]] = field(default_factory=list)
    constants: list[Matrix] = field(default_factory=list)
    tables: list[npt.NDArray[np.int32]] = field(default_factory=list)
    phases: list[Matrix] = field(default_factory=list)
    dense: list[FixedUnitary] = field(default_factory=list)
    columns: tuple[dict[int, int], dict[int, int]] = field(default_factory=lambda: ({}, {}))
    load: AmplitudeLoad | None = None
    gate_batched: list[bool] = field(default_factory=list)
    start: dict[int, int] = field(default_factory=dict)
    has_evolutions: bool = False
    # qubits that are in |0⟩ no more
    used: set[int] = field(default_factory=set)
    # qubits that the last pass, a permutation or diagonal, acts on
    touched: set[int] = field(default_factory=set)

    def add(self, operation: Any) -> None:
        if isinstance(operation, AmplitudeLoad):
            self.load = operation
            self.used = set(range(self.program.num_qubits))
            for row in operation.angles:
                self._angle(row)
        elif isinstance(operation, PauliRotation):
            self._rotation(operation)
        elif isinstance(operation, Evolution):
            self.has_evolutions = True
            for row in operation.rows:
                self._angle(row)
        elif len(operation.qubits) == 1:
            self.constants.append(operation.matrix)
            factor = (CONSTANT, 0, len(self.constants) - 1)
            self.open.setdefault(operation.qubits[0], []).append(factor)
        else:
            self._flush(operation.qubits)
            self.used |= set(operation.qubits)
            self._fixed(operation)

    def finish(self) -> Plan:
        self._flush(range(self.program.num_qubits))
        dim = 1 << self.program.num_qubits
        qubits = range(self.program.num_qubits if self.load is None else 0)
        start = [self.start.get(qubit, -1) for qubit in qubits]
        return Plan(
            num_qubits=self.program.num_qubits,
            load=self.load,
            passes=np.array(self.passes, dtype=np.int64).reshape(-1, 5),
            start=np.array(start, dtype=np.int64),
            gate_factors=np.array(self.offsets, dtype=np.int64),
            gate_batched=np.array(self.gate_batched, dtype=np.bool_),
            factors=np.array(self.factors, dtype=np.int64).reshape(-1, 3),
            constants=np.array(self.constants, dtype=np.complex128).reshape(-1, 2, 2),
            tables=np.array(self.tables, dtype=np.int32).reshape(-1, dim),
            phases=np.array(self.phases, dtype=np.complex128).reshape(-1, dim),
            dense=tuple(self.dense),
            shared_rows=np.array(list(self.columns[0]), dtype=np.int64),
            batched_rows=np.array(list(self.columns[1]), dtype=np.int64),
            has_evolutions=self.has_evolutions,
        )

    def _angle(self, row: int) -> tuple[int, int]:
        """Whether an angle is batched, and its column among those that are or are not."""
        batched = any(p < self.num_batched for p in self.program.angles.depends_on(row))
        columns = self.columns[batched]
        return int(batched), columns.setdefault(row, len(columns))

    def _rotation(self, rotation: PauliRotation) -> None:
        batched, column = self._angle(rotation.angle)
        qubits = [q for q in range(self.program.num_qubits) if (rotation.x | rotation.z) >> q & 1]
        if len(qubits) == 1:
            axis = {(1, 0): 0, (1, 1): 1, (0, 1): 2}[bool(rotation.x), bool(rotation.z)]
            self.open.setdefault(qubits[0], []).append((axis, batched, column))
        elif qubits:
            self._flush(qubits)
            self.touched = set()
            self.used |= set(qubits)
            self.passes.append([ROTATION, rotation.x, rotation.z, column, batched])

    def _flush(self, qubits: Any) -> None:
        """Turn the open gates on some qubits into passes."""
        for qubit in qubits:
            factors = self.open.pop(qubit, [])
            if not factors:
                continue
            gate = len(self.gate_batched)
            self.gate_batched.append(any(axis != CONSTANT and b for axis, b, _ in factors))
            self.factors += factors
            self.offsets.append(len(self.factors))
            if qubit not in self.used:
                self.used.add(qubit)
                self.start[qubit] = gate
                continue
            new = [ONE_QUBIT, qubit, gate, 0, 0]
            if self.touched and qubit not in self.touched:
                # it commutes with the last pass, which can then take up further permutations
                self.passes.insert(len(self.passes) - 1, new)
            else:
                self.touched = set()
                self.passes.append(new)

    def _fixed(self, operation: FixedUnitary) -> None:
        if self.program.num_qubits > MAX_PLAN_QUBITS:
            return
        source = permutation_of(operation.matrix)
        diagonal = np.diag(operation.matrix)
        if source is not None:
            self._permutation(operation.qubits, source)
        elif np.count_nonzero(operation.matrix - np.diag(diagonal)) == 0:
            self._diagonal(operation.qubits, diagonal)
        else:
            self.touched = set()
            self.dense.append(operation)
            self.passes.append([DENSE, len(self.dense) - 1, 0, 0, 0])

    def _permutation(self, qubits: tuple[int, ...], source: Integers) -> None:
        index = np.arange(1 << self.program.num_qubits)
        local = _local_index(index, qubits)
        moved = index - _global_index(local, qubits) + _global_index(source[local], qubits)
        if self.touched and self.passes[-1][0] == PERMUTATION:
            # new[i] = middle[moved[i]] = old[table[moved[i]]]
            self.tables[-1] = self.tables[-1][moved]
        else:
            self.touched = set()
            self.tables.append(moved.astype(np.int32))
            self.passes.append([PERMUTATION, len(self.tables) - 1, 0, 0, 0])
        self.touched |= set(qubits)

    def _diagonal(self, qubits: tuple[int, ...], diagonal: Matrix) -> None:
        index = np.arange(1 << self.program.num_qubits)
        phases = diagonal[_local_index(index, qubits)]
        if self.touched and self.passes[-1][0] == DIAGONAL:
            self.phases[-1] = self.phases[-1] * phases
        else:
            self.touched = set()
            self.phases.append(phases)
            self.passes.append([DIAGONAL, len(self.phases) - 1, 0, 0, 0])
        self.touched |= set(qubits)


def permutation_of(matrix: Matrix) -> Integers | None:
    """The source index of every row if the matrix is a permutation without signs, else None."""
    ones = np.isclose(matrix, 1.0, atol=1e-15)
    if not np.array_equal(matrix[~ones], np.zeros(np.count_nonzero(~ones))):
        return None
    if not (np.all(ones.sum(axis=0) == 1) and np.all(ones.sum(axis=1) == 1)):
        return None
    source: Integers = np.argmax(ones, axis=1).astype(np.int64)
    return source


def _local_index(index: Integers, qubits: tuple[int, ...]) -> Integers:
    """The bits of some qubits, the first one least significant."""
    local = np.zeros_like(index)
    for position, qubit in enumerate(qubits):
        local |= (index >> qubit & 1) << position
    return local


def _global_index(local: Integers, qubits: tuple[int, ...]) -> Integers:
    index = np.zeros_like(local)
    for position, qubit in enumerate(qubits):
        index |= (local >> position & 1) << qubit
    return index
