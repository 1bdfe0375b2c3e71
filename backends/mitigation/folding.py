"""Fold two-qubit gates: the same unitary with more noise."""

from __future__ import annotations

from collections import OrderedDict

from qiskit import QuantumCircuit

from qvlm_qiskit.backends.pubs.digest import circuit_digest
from qvlm_qiskit.errors import MitigationError

SELF_INVERSE = ("cx", "cz", "ecr", "swap")


def fold_two_qubit_gates(circuit: QuantumCircuit, factor: int) -> QuantumCircuit:
    """Repeat every two-qubit gate `factor` times (odd), which leaves the unitary unchanged.

    Raises:
        MitigationError: A gate on two or more qubits that is not cx, cz, ecr or swap.
    """
    folded = circuit.copy_empty_like()
    for item in circuit.data:
        repeats = 1
        if len(item.qubits) > 1 and item.name != "barrier":
            if item.name not in SELF_INVERSE:
                raise MitigationError(
                    f"zero-noise extrapolation can't fold the gate {item.name!r}: it folds "
                    f"{', '.join(SELF_INVERSE)}"
                )
            repeats = factor
        for _ in range(repeats):
            folded.append(item.operation, item.qubits, item.clbits, copy=False)
    return folded


class FoldedCircuits:
    """Remembers the folded forms of circuits, so that every scale factor is one template."""

    def __init__(self, size: int = 256) -> None:
        self._size = size
        self._folded: OrderedDict[tuple[str, int], QuantumCircuit] = OrderedDict()

    def get(self, circuit: QuantumCircuit, factor: int) -> QuantumCircuit:
        """`fold_two_qubit_gates`, the same object for an equal circuit."""
        key = (circuit_digest(circuit), factor)
        if key not in self._folded:
            self._folded[key] = fold_two_qubit_gates(circuit, factor)
            if len(self._folded) > self._size:
                self._folded.popitem(last=False)
        return self._folded[key]
