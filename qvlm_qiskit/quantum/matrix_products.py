r"""Matrix-product states as a staircase of gates on neighbouring qubits.

A state of bond dimension 2 is written by n - 1 steps, the k-th on qubits k and k+1, of which k+1 is
still :math:`|0\rangle`. A step is CX, RY on both, CX, RY on both; the first, which meets
:math:`|00\rangle`, needs only its first half, behind one RY. These 4n - 5 angles are as many as
real, normalised matrix-product states of bond dimension 2 have dimensions, and the tests fit random
ones to machine precision. A bond dimension of :math:`2^s` takes s staircases, one on the other: the
Schmidt rank over every cut is at most :math:`2^s`, but beyond 2 not every such state is reached.
After Schön et al. (arXiv:quant-ph/0501096) and, for several staircases, Ran (arXiv:1908.07958).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qiskit.circuit import QuantumCircuit

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum.encoding import Angle


def mps_encoding(circuit: QuantumCircuit, angles: Sequence[Angle], bond: int = 2) -> None:
    """Append the staircases that prepare a real matrix-product state, in place.

    Args:
        circuit: The circuit to extend, in :math:`|0…0⟩`; n qubits.
        angles: As many as :func:`mps_qubits` has entries, in radians, in the order of their gates.
        bond: Largest bond dimension, a power of two; see :func:`check_bond`.

    Raises:
        InputError: Another number of angles, or a bond dimension that can't be.
    """
    qubits = mps_qubits(circuit.num_qubits, bond)
    if len(angles) != len(qubits):
        raise InputError(
            f"a matrix-product state of {circuit.num_qubits} qubits and bond dimension {bond} "
            f"takes {len(qubits)} angles, got {len(angles)}"
        )
    given = iter(angles)
    for gate in _staircases(circuit.num_qubits, bond):
        if len(gate) == 2:
            circuit.cx(*gate)
        else:
            circuit.ry(next(given), *gate)


def mps_qubits(num_qubits: int, bond: int = 2) -> list[int]:
    """The qubit of every angle of :func:`mps_encoding`, in their order.

    Raises:
        InputError: A bond dimension that can't be.
    """
    check_bond(num_qubits, bond)
    return [gate[0] for gate in _staircases(num_qubits, bond) if len(gate) == 1]


def check_bond(num_qubits: int, bond: int) -> None:
    """Refuse a bond dimension that is no power of two, or that n qubits can't have.

    Raises:
        InputError: It is not in 2, 4, …, :math:`2^{⌊n/2⌋}`.
    """
    if bond < 2 or bond & (bond - 1):
        raise InputError(f"a bond dimension is 2, 4, 8 or another power of two, got {bond}")
    if bond > 2 ** (num_qubits // 2):
        raise InputError(
            f"a bond dimension of {bond} needs at least {2 * (bond.bit_length() - 1)} qubits, "
            f"got {num_qubits}"
        )


def _staircases(num_qubits: int, bond: int) -> Iterator[tuple[int, ...]]:
    """RY gates as (qubit,) and CX gates as (control, target), in their order."""
    yield (0,)
    for _ in range(bond.bit_length() - 1):
        for k in range(num_qubits - 1):
            for _ in range(1 if k == 0 else 2):
                yield (k, k + 1)
                yield (k,)
                yield (k + 1,)
