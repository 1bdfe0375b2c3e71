"""Fold two-qubit gates: the same unitary with more noise."""

from __future__ import annotations

from collections.abc import Iterable

from qiskit import QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.pubs.digest import circuit_digest
from qvlm_qiskit.basics.caches import LruCache
from qvlm_qiskit.errors import MitigationError

SELF_INVERSE = ("cx", "cz", "ecr", "swap")


def odd_scales(scales: Iterable[int]) -> tuple[int, ...]:
    """Noise scale factors to which circuits can be folded.

    Raises:
        MitigationError: They are not distinct odd whole numbers that start with 1.
    """
    factors = tuple(scales)
    whole = all(isinstance(s, int) and not isinstance(s, bool) for s in factors)
    odd = whole and all(scale >= 1 and scale % 2 == 1 for scale in factors)
    if not odd or factors[:1] != (1,) or len(set(factors)) != len(factors):
        raise MitigationError(
            f"scale factors {factors} can't be folded: they are distinct odd whole numbers that "
            "start with 1"
        )
    return factors


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
        self._folded: LruCache[tuple[str, int], QuantumCircuit] = LruCache(size)

    def get(self, circuit: QuantumCircuit, factor: int) -> QuantumCircuit:
        """`fold_two_qubit_gates`, the same object for an equal circuit."""
        key = (circuit_digest(circuit), factor)
        return self._folded.get(key, lambda: fold_two_qubit_gates(circuit, factor))

    def pubs(self, pub: EstimatorPub, factors: Iterable[int]) -> list[EstimatorPub]:
        """The pub with its circuit folded to every scale factor."""
        return [
            EstimatorPub(
                self.get(pub.circuit, factor),
                pub.observables,
                pub.parameter_values,
                pub.precision,
                validate=False,
            )
            for factor in factors
        ]
