r"""Fidelity kernels, :math:`K_{ij} = |⟨ψ(y_j)|ψ(x_i)⟩|^2`: from states, or measured on a machine.

Exactly, N states and one product are enough. On a machine the circuit of :math:`x_i` is followed by
the inverse one of :math:`y_j`, and K is the probability of |0…0⟩ (Havlíček et al.,
arXiv:1804.11326): one row of parameters per pair of different points, :math:`N(N-1)/2` for a
symmetric matrix, all in one pub.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.exceptions import CircuitError as QiskitCircuitError
from qiskit.primitives.base import BaseEstimatorV2
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit.quantum_info import SparseObservable
from qiskit_machine_learning.kernels import BaseKernel
from torch import Tensor

from qvlm_qiskit.basics.deferral import NOTHING
from qvlm_qiskit.errors import CapacityError, CircuitError, InputError
from qvlm_qiskit.quantum.estimator import TorchEstimator
from qvlm_qiskit.quantum.machines import EstimatorSource
from qvlm_qiskit.quantum.network import renamed
from qvlm_qiskit.quantum.observables import as_pauli_sum
from qvlm_qiskit.quantum.readings.final_states import Values, real_rows, require_finite, states

Array = npt.NDArray[np.float64]
Machine: TypeAlias = EstimatorSource | BaseEstimatorV2

MAX_MEASURED_QUBITS = 14
"""The projector on |0…0⟩ has 2ⁿ Pauli strings, which estimators take one by one."""


class KernelMatrix(NamedTuple):
    """A kernel and how far it is to be trusted.

    Attributes:
        values: ``(N, M)``.
        errors: Standard errors ``(N, M)``; 0 where nothing is sampled.
    """

    values: Tensor
    errors: Tensor


def fidelity_kernel(
    circuit: QuantumCircuit,
    X: Values,  # noqa: N803
    Y: Values | None = None,  # noqa: N803
    backend: Machine | None = None,
) -> KernelMatrix:
    """The fidelities of the states of some points with those of others, or with each other.

    Args:
        circuit: Feature map: makes a state of a point; unitary.
        X: Points ``(N, n_parameters)`` in the order of ``circuit.parameters``, or a single one.
        Y: Points ``(M, n_parameters)``; None: X again, and the matrix is symmetric.
        backend: None or an exact, noise-free one of this package: from states, differentiable by X
            and Y. Otherwise what ``open_backend`` returns, or any V2 estimator: one pub, one row
            per pair of different points. Equal points have fidelity 1 and are not sent. Measured
            values are given as they are: mitigated ones may leave [0, 1].

    Raises:
        InputError: Points of another width, or not finite; or a gradient is wanted of a machine.
        CircuitError: The circuit is not unitary.
        CapacityError: States don't fit into memory, or too many qubits for a machine.
    """
    left = _points(circuit, "X", X)
    right = left if Y is None else _points(circuit, "Y", Y)
    estimator = backend.estimator() if isinstance(backend, EstimatorSource) else backend
    if estimator is not None and not isinstance(estimator, BaseEstimatorV2):
        raise InputError(
            f"backend must be an open backend or a V2 estimator, got {type(backend).__name__}"
        )
    if estimator is None or _is_exact(estimator):
        values = _from_states(circuit, left, None if Y is None else right)
        return KernelMatrix(values, torch.zeros_like(values, requires_grad=False))
    if torch.is_grad_enabled() and (left.requires_grad or right.requires_grad):
        raise InputError(
            "a kernel that is measured on a machine has no gradient: leave out backend=, or pass "
            "points without requires_grad"
        )
    found, errors = _measured(circuit, _plain(left), _plain(right), estimator)
    return KernelMatrix(torch.as_tensor(found).to(left), torch.as_tensor(errors).to(left))


class FidelityKernel(BaseKernel):  # type: ignore[misc]
    """:func:`fidelity_kernel` as a kernel of qiskit-machine-learning, for its ``QSVC`` and others.

    Attributes:
        errors: Standard errors of the matrix that was evaluated last, None before.
    """

    def __init__(
        self,
        *,
        feature_map: QuantumCircuit,
        backend: Machine | None = None,
        enforce_psd: bool = True,
    ) -> None:
        """Choose the states and what computes or measures them.

        Args:
            feature_map: Makes a state of a point.
            backend: See :func:`fidelity_kernel`.
            enforce_psd: Replace a symmetric matrix that sampling or noise made indefinite by the
                nearest positive semidefinite one.
        """
        super().__init__(feature_map=feature_map, enforce_psd=enforce_psd)
        self.backend = backend
        self.errors: Array | None = None

    def evaluate(self, x_vec: npt.ArrayLike, y_vec: npt.ArrayLike | None = None) -> Array:
        """The kernel matrix ``(N, M)``.

        Args:
            x_vec: Points ``(N, n_parameters)``.
            y_vec: Points ``(M, n_parameters)``; None, or equal to ``x_vec``: itself.
        """
        same = y_vec is None or np.array_equal(x_vec, y_vec)
        matrix = fidelity_kernel(self.feature_map, x_vec, None if same else y_vec, self.backend)
        values, self.errors = _plain(matrix.values), _plain(matrix.errors)
        if same and self.enforce_psd and self.backend is not None:
            values = positive_semidefinite(values)
        return values


def positive_semidefinite(matrix: Array) -> Array:
    """The nearest positive semidefinite matrix (in Frobenius norm) of a symmetric one."""
    levels, vectors = np.linalg.eigh(matrix)
    if not len(levels) or levels[0] >= 0:
        return matrix
    nearest: Array = (vectors * np.maximum(levels, 0.0)) @ vectors.T
    return nearest


def _points(circuit: QuantumCircuit, name: str, given: Values) -> Tensor:
    rows = real_rows(given)
    rows = rows[None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or rows.shape[1] != circuit.num_parameters:
        raise InputError(
            f"{name} must hold points of {circuit.num_parameters} numbers, one per parameter of "
            f"the circuit, got {tuple(rows.shape)}"
        )
    require_finite(rows)
    return rows


def _is_exact(estimator: BaseEstimatorV2) -> bool:
    return (
        type(estimator) is TorchEstimator
        and estimator.noise is None
        and estimator.default_precision == 0
    )


def _from_states(circuit: QuantumCircuit, left: Tensor, right: Tensor | None) -> Tensor:
    first = states(circuit, left)
    second = first if right is None else states(circuit, right)
    overlaps = first @ second.mH
    values = overlaps.real.square() + overlaps.imag.square()
    if right is not None:
        return values
    values = (values + values.mT) / 2
    diagonal = torch.eye(len(values), dtype=torch.bool, device=values.device)
    return torch.where(diagonal, torch.ones_like(values), values)


class DistinctPairs(NamedTuple):
    """The rows that a measured kernel asks for.

    Attributes:
        left: First point of each pair ``(P, n_parameters)``; the pairs are of different points.
        right: Second point of each.
        differ: Which of all distinct pairs those are; the others are of equal points.
        back: For every entry of the matrix, its place among all distinct pairs.
    """

    left: Array
    right: Array
    differ: npt.NDArray[np.bool_]
    back: npt.NDArray[np.intp]


def distinct_pairs(left: Array, right: Array) -> DistinctPairs:
    """Every pair of different points once, whichever of the two comes first.

    Args:
        left: Points ``(N, n_parameters)``, the matrix's rows.
        right: Points ``(M, n_parameters)``, its columns.
    """
    points, places = np.unique(np.concatenate([left, right]), axis=0, return_inverse=True)
    rows, columns = places.ravel()[: len(left)], places.ravel()[len(left) :]
    low = np.minimum(rows[:, None], columns).ravel()
    high = np.maximum(rows[:, None], columns).ravel()
    pairs, back = np.unique(np.stack([low, high], axis=1), axis=0, return_inverse=True)
    differ = pairs[:, 0] != pairs[:, 1]
    sent = pairs[differ]
    return DistinctPairs(points[sent[:, 0]], points[sent[:, 1]], differ, back.ravel())


def _measured(
    circuit: QuantumCircuit, left: Array, right: Array, estimator: BaseEstimatorV2
) -> tuple[Array, Array]:
    """Values and standard errors; every pair of different points is sent once."""
    pairs = distinct_pairs(left, right)
    values, errors = np.ones(len(pairs.differ)), np.zeros(len(pairs.differ))
    if len(pairs.left):
        found = _run(circuit, pairs.left, pairs.right, estimator)
        values[pairs.differ], errors[pairs.differ] = found
    shape = len(left), len(right)
    return values[pairs.back].reshape(shape), errors[pairs.back].reshape(shape)


def _run(
    circuit: QuantumCircuit, left: Array, right: Array, estimator: BaseEstimatorV2
) -> tuple[Array, Array]:
    """The probability of |0…0⟩ behind the circuit of one point and the inverse of another."""
    both, parameters, observable = measured_circuit(circuit)
    rows = np.concatenate([left, right], axis=1)
    bindings = BindingsArray({tuple(parameters): rows} if parameters else None, shape=(len(rows),))
    data = estimator.run([(both, observable, bindings)]).result()[0].data
    errors = getattr(data, "stds", None)
    return np.asarray(data.evs), np.zeros(len(rows)) if errors is None else np.asarray(errors)


def measured_circuit(circuit: QuantumCircuit) -> tuple[QuantumCircuit, list[Any], Any]:
    """What a machine runs for a fidelity, its parameters in order, and what is read.

    Raises:
        CircuitError: The circuit has no inverse.
        CapacityError: The probability of |0…0⟩ has too many Pauli strings.
    """
    both, parameters = compute_uncompute(circuit)
    return both, parameters, _projector(both)


def compute_uncompute(circuit: QuantumCircuit) -> tuple[QuantumCircuit, list[Any]]:
    """The circuit at one point and its inverse at another, and the parameters of both in order.

    Raises:
        CircuitError: It has no inverse.
    """
    given = list(circuit.parameters)
    names = {parameter.name.partition("[")[0] for parameter in given}
    prefix = "_" * max(map(len, names), default=0)  # no name of the circuit's
    x, y = (ParameterVector(f"{prefix}{side}", len(given)) for side in "xy")
    try:
        inverse = circuit.inverse()
    except QiskitCircuitError as error:
        raise CircuitError(f"this circuit has no inverse: {error}") from error
    forwards = renamed(circuit, dict(zip(given, x, strict=True)))
    back = renamed(inverse, dict(zip(given, y, strict=True)))
    return forwards.compose(back), [*x, *y]


def _projector(circuit: QuantumCircuit) -> Any:
    """|0…0⟩⟨0…0| on the qubits that something acts on, as Z strings, which every estimator takes.

    Raises:
        CapacityError: There are too many of them.
    """
    index = {bit: i for i, bit in enumerate(circuit.qubits)}
    acting = (item for item in circuit.data if item.name not in NOTHING)
    qubits = sorted({index[q] for item in acting for q in item.qubits})
    if len(qubits) > MAX_MEASURED_QUBITS:
        raise CapacityError(
            f"a measured kernel of {len(qubits)} qubits needs 2^{len(qubits)} Pauli strings: at "
            f"most {MAX_MEASURED_QUBITS} qubits; exactly (backend=None), memory is the limit"
        )
    zero = SparseObservable.from_sparse_list([("0" * len(qubits), qubits, 1.0)], circuit.num_qubits)
    return as_pauli_sum(zero)


def _plain(values: Tensor) -> Array:
    return values.detach().double().cpu().numpy()
