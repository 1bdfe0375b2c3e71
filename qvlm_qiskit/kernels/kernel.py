"""A fidelity kernel as a function of points: for scikit-learn, exact or measured on a machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from torch import Tensor

from qvlm_qiskit.basics.numbers import check_truth
from qvlm_qiskit.errors import InputError, arrived
from qvlm_qiskit.kernels.checks import points
from qvlm_qiskit.kernels.feature_maps import FEATURE_MAPS, feature_map
from qvlm_qiskit.quantum.readings.fidelity import (
    KernelMatrix,
    Machine,
    distinct_pairs,
    fidelity_kernel,
    measured_circuit,
    positive_semidefinite,
)
from qvlm_qiskit.quantum.readings.final_states import Values, real_rows

Array = npt.NDArray[np.float64]
FeatureMap: TypeAlias = str | QuantumCircuit
Scale: TypeAlias = float | Sequence[float] | Tensor


class KernelPlan(NamedTuple):
    """What measuring a kernel matrix asks of a machine.

    Attributes:
        rows: Rows of parameter values: pairs of different points.
        circuits: ``{"kernel": (circuit, observable)}``, as ``Backend.preflight`` takes it: the map
            of one point followed by the inverse of another's, and the probability of |0…0⟩.
    """

    rows: int
    circuits: dict[str, tuple[QuantumCircuit, Any]]


@dataclass(frozen=True, eq=False)
class QuantumKernel:
    """:math:`K(x, y) = |⟨ψ(y)|ψ(x)⟩|^2`, as scikit-learn takes a kernel: ``SVC(kernel=…)``.

    Attributes:
        feature_map: Name of a map ("havlicek", "resource-efficient"), or a circuit.
        reps: Repetitions of a named map.
        scale: Points are multiplied by it: a number, or one for each feature.
        weight_params: Parameters of a circuit that are no features.
        weights: Their values.
        backend: None or an exact one: from states. Otherwise what ``open_backend`` returns, or any
            V2 estimator: see :func:`qvlm_qiskit.quantum.fidelity_kernel`.
        repair: Whether a symmetric matrix that sampling or noise made indefinite is replaced by the
            nearest positive semidefinite one (in Frobenius norm; its diagonal may leave 1). What a
            support vector machine solves is no longer convex without. A matrix of two different
            sets of points is given as it is measured.
    """

    feature_map: FeatureMap = "havlicek"
    reps: int = 2
    scale: Scale = 1.0
    weight_params: Sequence[Parameter] = ()
    weights: Sequence[float] | Tensor = ()
    backend: Machine | None = None
    repair: bool = True

    def __post_init__(self) -> None:
        """Refuse what is neither true nor false.

        Raises:
            InputError: ``repair`` isn't.
        """
        check_truth("repair", self.repair)

    def __call__(self, X: npt.ArrayLike, Y: npt.ArrayLike | None = None) -> Array:  # noqa: N803
        """The matrix ``(N, M)`` of points ``(N, features)`` and ``(M, features)``.

        Args:
            X: Points.
            Y: Points; None, or equal to X: with each other, and the matrix is symmetric.

        Raises:
            InputError: NaN, or points that don't fit the map.
            QVLMError: As of :func:`qvlm_qiskit.quantum.fidelity_kernel`.
        """
        left = points(X)
        right = None if Y is None else points(Y)
        same = right is None or np.array_equal(left, right)
        with torch.no_grad():
            found = self.matrix(left, None if same else right).values.numpy()
        if same and self.repair and self.backend is not None:
            found = positive_semidefinite(found)
        return found

    def matrix(self, X: Values, Y: Values | None = None) -> KernelMatrix:  # noqa: N803
        """Values and standard errors as tensors, as they are; exact ones are differentiable.

        By points, ``scale`` and ``weights``, where these are tensors.

        Args:
            X: Points ``(N, features)``.
            Y: Points ``(M, features)``; None: with each other.

        Raises:
            InputError: Points that don't fit the map or are not finite.
            QVLMError: As of :func:`qvlm_qiskit.quantum.fidelity_kernel`.
        """
        circuit, left = self._bound(X)
        right = None if Y is None else self._bound(Y)[1]
        return fidelity_kernel(circuit, left, right, self.backend)

    def plan(self, X: npt.ArrayLike, Y: npt.ArrayLike | None = None) -> KernelPlan:  # noqa: N803
        """What a machine would be asked for this matrix; nothing is run.

        ``open_backend(NAME).preflight(plan.circuits, plan.rows)`` says what that costs there.

        Raises:
            InputError: Points that don't fit the map or are not finite.
            CircuitError: The circuit has no inverse.
            CapacityError: Too many qubits for a machine.
        """
        with torch.no_grad():
            rows = points(X)
            circuit, left = self._bound(rows)
            right = left if Y is None else self._bound(points(Y, rows.shape[1]))[1]
        pairs = distinct_pairs(left.numpy(), right.numpy())
        both, _, observable = measured_circuit(circuit)
        return KernelPlan(len(pairs.left), {"kernel": (both, observable)})

    def scaled(self, scale: Scale) -> QuantumKernel:
        """The same kernel with another scale."""
        return replace(self, scale=scale)

    def circuit(self, features: int) -> QuantumCircuit:
        """The map of points of so many features.

        Raises:
            UnknownNameError: No map of that name.
            InputError: Neither a name nor a circuit, or one of another number of features.
        """
        weights = self._weight_params()
        if isinstance(self.feature_map, str):
            if weights:
                raise InputError(f"the map {self.feature_map!r} has no weights: give a circuit")
            return feature_map(self.feature_map, features, self.reps)
        if not isinstance(self.feature_map, QuantumCircuit):
            raise InputError(
                f"feature_map is one of {', '.join(FEATURE_MAPS)}, or a circuit; got "
                f"{arrived(self.feature_map)}"
            )
        wanted = self.feature_map.num_parameters - len(weights)
        if features != wanted:
            raise InputError(f"the feature map has {wanted} features, points have {features}")
        return self.feature_map

    def _weight_params(self) -> list[Parameter]:
        try:
            found = list(self.weight_params)
        except TypeError:
            found = [self.weight_params]  # type: ignore[list-item]
        for one in found:
            if not isinstance(one, Parameter):
                raise InputError(f"weight_params are parameters of the circuit, got {arrived(one)}")
        return found

    def _bound(self, given: Values) -> tuple[QuantumCircuit, Tensor]:
        """The circuit, and its parameters' values for each point, in the circuit's order."""
        rows = real_rows(given)
        if rows.ndim != 2:
            raise InputError(f"points are rows (N, features), got {tuple(rows.shape)}")
        circuit = self.circuit(rows.shape[1])
        angles = rows * factors_of(self.scale, rows)
        params = self._weight_params()
        weights = weights_of(self.weights, rows)
        if weights.shape != (len(params),):
            raise InputError(
                f"there are {len(params)} weights in the feature map, got {tuple(weights.shape)}"
            )
        if not params:
            return circuit, angles
        values = torch.cat([angles, weights.expand(len(rows), -1)], dim=1)
        features = [one for one in circuit.parameters if one not in set(params)]
        places = {one: i for i, one in enumerate([*features, *params])}
        if len(places) != circuit.num_parameters:
            raise InputError("weight_params must be different parameters of the feature map")
        return circuit, values[:, [places[one] for one in circuit.parameters]]


def _finite(name: str, wanted: str, given: Any, rows: Tensor) -> Tensor:
    """Numbers as a tensor of the points' dtype."""
    try:
        found = torch.as_tensor(given, dtype=rows.dtype)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise InputError(f"{name} {wanted}, got {arrived(given)}") from error
    if not torch.isfinite(found).all():
        raise InputError(f"{name} must be finite")
    return found


def weights_of(weights: Sequence[float] | Tensor, rows: Tensor) -> Tensor:
    """A kernel's weights as a tensor of the points' dtype.

    Raises:
        InputError: They are no numbers, or not finite.
    """
    return _finite("weights", "are numbers, one for each parameter", weights, rows)


def factors_of(scale: Scale, rows: Tensor) -> Tensor:
    """A scale as a tensor that multiplies points.

    Args:
        scale: A number, or one for each feature.
        rows: Points ``(N, features)``.

    Raises:
        InputError: It is no number, not finite, or has another shape.
    """
    factors = _finite("scale", "is one number or one for each feature", scale, rows)
    if factors.ndim > 1 or (factors.ndim and len(factors) != rows.shape[1]):
        raise InputError(
            f"scale is one number or {rows.shape[1]}, one for each feature, got "
            f"{tuple(factors.shape)}"
        )
    return factors
