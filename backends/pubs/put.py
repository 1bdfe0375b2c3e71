"""Instructions of one circuit on qubits of another that is being made."""

from __future__ import annotations

from collections.abc import Sequence

from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, Clbit, Qubit


def put(
    circuit: QuantumCircuit,
    item: CircuitInstruction,
    qubits: Sequence[Qubit],
    clbits: Sequence[Clbit] = (),
) -> None:
    """Append an instruction that another circuit has already, without checking it again.

    Qiskit's `append` checks and broadcasts every gate, and makes a Python object of it: 20 times as
    long, which is most of what laying thousands of circuits onto a device takes.

    Args:
        circuit: That the caller is making; nobody else may have it yet.
        item: The instruction.
        qubits: Of the circuit, all different, in the order of the instruction's operands.
        clbits: Likewise.
    """
    if item.is_standard_gate():
        circuit._append(item.replace(qubits=tuple(qubits)))  # noqa: SLF001  (documented for this)
    else:
        circuit.append(item.operation, qubits, clbits, copy=False)
