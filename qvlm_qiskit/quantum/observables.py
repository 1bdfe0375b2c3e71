"""Every form of an observable → one sum of Pauli strings with real coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import Operator, SparseObservable, SparsePauliOp

from qvlm_qiskit.errors import CircuitError

IMAGINARY = 1e-12
"""Parts of a coefficient, relative to the largest, that are rounding."""


def as_pauli_sum(observable: Any) -> SparsePauliOp:
    """The observable with every string once and real coefficients, however small.

    Projectors (|0⟩⟨0| is "0", |+⟩⟨+| is "+" and so on) become sums of Pauli strings. The complex
    parts of equal strings may cancel.

    Args:
        observable: A ``SparsePauliOp``, ``SparseObservable``, ``Pauli``, ``Operator`` or array
            ``(2**n, 2**n)``, label or mapping of labels to coefficients.

    Raises:
        CircuitError: The sum is not Hermitian, or a matrix is none of qubits.
    """
    # without tolerance: a unit may make every coefficient small
    total = _sum(observable).simplify(atol=0.0, rtol=0.0)
    coefficients = np.asarray(total.coeffs, dtype=complex)
    largest = max(1.0, np.abs(coefficients).max(initial=0.0))
    complex_ones = np.flatnonzero(np.abs(coefficients.imag) > IMAGINARY * largest)
    if len(complex_ones):
        first = complex_ones[0]
        raise CircuitError(
            f"an observable is not Hermitian: {total.paulis[first].to_label()} has the "
            f"coefficient {coefficients[first]:g}"
        )
    return SparsePauliOp(total.paulis, coefficients.real)


def _sum(observable: Any) -> SparsePauliOp:
    if isinstance(observable, SparsePauliOp):
        return observable
    if isinstance(observable, Operator | np.ndarray):
        return _sum_of_matrix(np.asarray(observable))
    if not isinstance(observable, SparseObservable):
        observable = ObservablesArray.coerce_observable(observable)
    return SparsePauliOp.from_sparse_observable(observable.as_paulis())


def _sum_of_matrix(matrix: npt.NDArray[Any]) -> SparsePauliOp:
    size = len(matrix) if matrix.ndim else 0
    if matrix.shape != (size, size) or size < 2 or size & (size - 1):
        raise CircuitError(
            f"an observable is a matrix of shape {matrix.shape}: it must be (2^n, 2^n), of n qubits"
        )
    return SparsePauliOp.from_operator(Operator(matrix))
