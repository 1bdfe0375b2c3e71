"""Move Pauli operators through circuits.

A Pauli on n qubits is a row of 2n bits, x_0 … x_{n−1} z_0 … z_{n−1}; its phase never matters here,
since Paulis act by conjugation. A Clifford gate maps rows to rows by a matrix modulo 2; a rotation
exp(−iθQ/2) about a Pauli axis Q passes a Pauli P unchanged when they commute and as
exp(+iθQ/2) when they don't: only the sign of its angle changes.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Delay
from qiskit.circuit.library.standard_gates import get_standard_gate_name_mapping
from qiskit.quantum_info import Clifford

from qvlm_qiskit.errors import MitigationError

Bits = NDArray[np.bool_]
# Letters in the order of the gate's operands.
AXES = {
    "rz": "Z", "p": "Z", "u1": "Z", "rx": "X", "ry": "Y",
    "rzz": "ZZ", "rxx": "XX", "ryy": "YY", "rzx": "ZX",
}  # fmt: skip
CLIFFORDS = (
    "id", "x", "y", "z", "h", "s", "sdg", "sx", "sxdg",
    "cx", "cy", "cz", "swap", "iswap", "ecr", "dcx",
)  # fmt: skip
_PASSIVE = ("barrier",)


@lru_cache(maxsize=64)
def clifford_matrix(name: str) -> Bits:
    """The (2k, 2k) matrix with which a k-qubit Clifford gate maps a row of bits, modulo 2."""
    gate = get_standard_gate_name_mapping()[name]
    return np.asarray(Clifford(gate).symplectic_matrix, dtype=bool)


def axis_bits(name: str) -> Bits:
    """The (2k,) bits of a rotation's axis."""
    letters = AXES[name]
    return np.array([c in "XY" for c in letters] + [c in "ZY" for c in letters])


def anticommutes(rows: Bits, pauli: Bits) -> Bits:
    """Which of the (M, 2k) rows anticommute with a Pauli of (2k,) bits."""
    half = rows.shape[-1] // 2
    swapped = np.concatenate([pauli[half:], pauli[:half]])
    return np.asarray((rows & swapped).sum(axis=-1) % 2 == 1)


def check_frames(circuit: QuantumCircuit, technique: str) -> None:
    """Make sure that Paulis can be moved through a circuit.

    Raises:
        MitigationError: A gate that is neither a known Clifford gate nor a Pauli rotation.
    """
    for item in circuit.data:
        if item.name in CLIFFORDS or item.name in AXES or item.name in _PASSIVE:
            continue
        if isinstance(item.operation, Delay):
            continue
        raise MitigationError(
            f"{technique} can't move a Pauli through the gate {item.name!r}: it takes circuits of "
            f"{', '.join((*CLIFFORDS, *AXES))}"
        )


class FrameWalk:
    """M Pauli frames on their way through a circuit.

    Attributes:
        frames: (M, 2n) bits of the Paulis that stand before the next instruction.
    """

    def __init__(self, circuit: QuantumCircuit, count: int) -> None:
        self.index = {bit: i for i, bit in enumerate(circuit.qubits)}
        self.width = circuit.num_qubits
        self.frames: Bits = np.zeros((count, 2 * self.width), dtype=bool)

    def columns(self, qubits: tuple[object, ...]) -> list[int]:
        """Columns of the x bits and then of the z bits of some qubits."""
        positions = [self.index[qubit] for qubit in qubits]  # type: ignore[index]
        return positions + [self.width + position for position in positions]

    def insert(self, columns: list[int], paulis: Bits) -> None:
        """Multiply Paulis, (M, 2k) bits, into the frames."""
        self.frames[:, columns] ^= paulis

    def through(self, name: str, columns: list[int]) -> Bits | None:
        """Move the frames behind a gate.

        Returns:
            For a rotation, in which of the M circuits its angle changes sign; else None.
        """
        local = self.frames[:, columns]
        if name in AXES:
            return anticommutes(local, axis_bits(name))
        if name in CLIFFORDS:
            matrix = clifford_matrix(name)
            self.frames[:, columns] = (local.astype(np.uint8) @ matrix.astype(np.uint8)) % 2 == 1
        return None


def pauli_bits(width: int) -> Bits:
    """All 4^k Paulis on k qubits, (4^k, 2k): the index's low k bits are x, the others z."""
    index = np.arange(4**width)[:, None]
    return np.asarray((index >> np.arange(2 * width)) & 1, dtype=bool)
