"""What a program consists of: rotations about Pauli strings, matrices, loads of initial states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from qvlm_qiskit.basics.deferral import Controls
from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.quantum.program.angles import ParameterIndex
from qvlm_qiskit.quantum.program.hamiltonian_evolutions import Evolution

MAX_CONDITIONED_QUBITS = 10
"""Of a matrix and of the bits that decide on it: a million numbers."""

QubitIndex = int
Matrix = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class PauliRotation:
    """exp(-i·angle/2·P) with P = i^|x∧z| X^x Z^z over qubit bit masks."""

    x: int
    z: int
    angle: int
    """Index into the program's angle table."""


@dataclass(frozen=True, eq=False)
class FixedUnitary:
    """A constant matrix on some qubits; the first qubit is the matrix's least significant."""

    qubits: tuple[QubitIndex, ...]
    matrix: Matrix


@dataclass(frozen=True)
class AmplitudeLoad:
    """The initial state, written from 2ⁿ - 1 gate angles.

    The angles are parameters themselves where ``parameters`` is given (4095 of them at 12 qubits:
    too many for rows of an affine map), otherwise entries of the angle table.
    """

    angles: tuple[int, ...] = ()
    parameters: tuple[ParameterIndex, ...] = ()


Operation = PauliRotation | FixedUnitary | AmplitudeLoad | Evolution


def shares_of(controls: Controls) -> Iterator[tuple[float, int]]:
    """What a rotation about P becomes under controls: rotations about P·Z…Z, all of which commute.

    Yields:
        The share of its angle, and the mask of the Zs; without controls, all of it and none.
    """
    for chosen in product((False, True), repeat=len(controls)):
        taken = [control for control, take in zip(controls, chosen, strict=True) if take]
        sign = (-1) ** sum(value for _, value in taken)
        yield sign / 2 ** len(controls), sum(1 << qubit for qubit, _ in taken)


def controlled_unitary(operation: FixedUnitary, controls: Controls) -> FixedUnitary:
    """A matrix that acts where the controls have their values.

    Raises:
        CircuitError: There are too many of them.
    """
    if not controls:
        return operation
    size, width = len(operation.matrix), len(operation.qubits) + len(controls)
    if width > MAX_CONDITIONED_QUBITS:
        raise CircuitError(
            f"a gate on {len(operation.qubits)} qubits is decided by {len(controls)} measured bits:"
            f" together at most {MAX_CONDITIONED_QUBITS}"
        )
    matrix = np.eye(size << len(controls), dtype=np.complex128)
    first = size * sum(value << place for place, (_, value) in enumerate(controls))
    matrix[first : first + size, first : first + size] = operation.matrix
    return FixedUnitary((*operation.qubits, *(qubit for qubit, _ in controls)), matrix)
