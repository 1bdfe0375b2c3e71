"""A layer's way through the primitive interface: values by ``run``, gradients by a gradient object.

Gradients come from the network's own gradient object; a network that was left to choose one gets
the batched parameter shift in place of the stock one, which has the same values and sends one pub
instead of thousands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from qiskit.primitives.base import BaseEstimatorV2
from qiskit.primitives.containers.bindings_array import BindingsArray
from qiskit_machine_learning.gradients import BaseEstimatorGradient, ParamShiftEstimatorGradient
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor

from qvlm_qiskit.basics.same_row import distinct
from qvlm_qiskit.errors import CircuitError, InputError
from qvlm_qiskit.quantum.estimator import TorchEstimator
from qvlm_qiskit.quantum.gradients.ahead import AskedAhead
from qvlm_qiskit.quantum.gradients.batched import BatchedEstimatorGradient
from qvlm_qiskit.quantum.gradients.sampled import Skipped
from qvlm_qiskit.quantum.observables import as_pauli_sum
from qvlm_qiskit.quantum.readings.probabilities import ProbabilityQNN
from qvlm_qiskit.quantum.row_weights import joined_arrays, summed
from qvlm_qiskit.quantum.torch_support.memory_view import memory_view
from qvlm_qiskit.quantum.torch_support.transforms import is_transformed, require_single

Array = npt.NDArray[np.float64]

_PER_ROW, _SUMMED = "bo,bow->bw", "bo,bow->w"
"""What a gradient of the values (B, n_obs) becomes: per sample for inputs, summed for weights."""


@dataclass(frozen=True)
class Primitive:
    """What answers a layer's pubs and differentiates the answers.

    Attributes:
        network: The circuit, its parameters and its observables.
        estimator: Runs the pubs.
        gradient: Differentiates; None where `estimator` was set by ``run_on`` without a gradient.
        elsewhere: Whether ``run_on`` has set the estimator, which then uses its own precision.
        skips: Counts what is skipped because it is below its standard error; None: nothing is.
    """

    network: EstimatorQNN
    estimator: BaseEstimatorV2
    gradient: BaseEstimatorGradient | None
    elsewhere: bool = False
    skips: Skipped | None = None

    def asked(self, rows: Array, weight: Array) -> tuple[Array, Array]:
        """As they are asked for: where a step is asked ahead, what rows differ in is on a grid."""
        if not isinstance(self.estimator, AskedAhead):
            return rows, weight
        rounded, circuit = self.estimator.rounded, self.network.circuit
        return rounded(rows, circuit), rounded(weight, circuit) if weight.ndim == 2 else weight

    def values(self, rows: Array, weight: Array) -> Array:
        """One pub, all observables merged; see ``QuantumLayer.evaluate_rows``."""
        network = self.network
        if len(rows) == 0:
            return np.zeros((0, len(network.observables)))
        own = not self.elsewhere
        if weight.ndim == 2:
            rows, weight = joined_arrays(rows, weight), weight[:0].ravel()
        sent, places = (rows, slice(None)) if own else distinct(rows)
        parameters = (*network.input_params, *network.weight_params)
        values = joined_arrays(sent, weight)
        bindings = BindingsArray({parameters: values} if parameters else None, shape=(len(sent),))
        pub = (network.circuit, [[as_pauli_sum(o)] for o in network.observables], bindings)
        asks = own and type(self.estimator) is not TorchEstimator
        named = {"precision": network.default_precision} if asks else {}
        job = self.estimator.run([pub], **named)
        outputs: Array = np.asarray(job.result()[0].data.evs, dtype=np.float64).T
        return outputs[places]


def chose_no_gradient(network: EstimatorQNN) -> bool:
    """Whether the network was left to choose its gradient."""
    gradient = network.gradient
    return (
        type(gradient) is ParamShiftEstimatorGradient and gradient._estimator is network.estimator  # noqa: SLF001
    )


def through_primitive(
    rows: Tensor, weight: Tensor, primitive: Primitive, runs: bool = True
) -> Tensor:
    """Values ``(B, n_observables)`` in float64, differentiable once by a backward pass.

    Args:
        rows: ``(B, n_inputs)``.
        weight: ``(n_weights,)``, or ``(R, n_weights)`` for rows in turns.
        primitive: What is asked.
        runs: False leaves the values out, for zeros: only the gradients are asked for.

    Raises:
        InputError: Inside a ``torch.func`` transform, under forward-mode differentiation or in
            ``torch.export``.
    """
    if is_transformed(rows, weight):
        raise InputError(
            "torch.func transforms and forward-mode derivatives need a TorchEstimator and the "
            f"network's default gradient; through {type(primitive.estimator).__name__} only "
            "backward() works"
        )
    if torch.compiler.is_exporting():
        raise InputError(
            f"a layer that runs on {type(primitive.estimator).__name__} can't be exported: its "
            "values come from outside torch. Export it on a TorchEstimator"
        )
    ahead = isinstance(primitive.estimator, AskedAhead) and torch.is_grad_enabled() and len(rows)
    wanted = (rows.requires_grad, weight.requires_grad) if ahead else (False, False)
    values: Tensor = _PrimitiveFunction.apply(rows, weight, primitive, runs, wanted)  # type: ignore[no-untyped-call]
    return values


class _PrimitiveFunction(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        weight: Tensor,
        primitive: Primitive,
        runs: bool,
        ahead: tuple[bool, bool],
    ) -> Tensor:
        """`ahead`: whether derivatives by rows and weights are asked for with the values."""
        ctx.primitive = primitive
        ctx.save_for_backward(rows, weight)
        ctx.found = None
        if not runs:
            return rows.new_zeros(len(rows), len(primitive.network.observables)).double()
        given = primitive.asked(_numpy(rows), _numpy(weight))
        values = primitive.values(*given)
        if any(ahead) and primitive.gradient is not None:
            ctx.found = jacobians(primitive, given, *ahead)
        return torch.as_tensor(values, dtype=torch.float64, device=rows.device)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        require_single(grad_output)
        rows, weight = ctx.saved_tensors
        if ctx.primitive.gradient is None:
            raise CircuitError(
                "an estimator set by run_on samples, and was given no gradient: "
                "run_on(backend, gradient='param_shift') or 'spsa', each at the price of its rows; "
                "or train on the network's own estimator, or on a noisy:* backend opened with "
                "precision=0"
            )
        needs_rows, needs_weight = ctx.needs_input_grad[:2]
        wanted = (needs_rows, needs_weight)
        given = ctx.primitive.asked(_numpy(rows), _numpy(weight))
        by_rows, by_weights = ctx.found or jacobians(ctx.primitive, given, *wanted)
        with torch.no_grad():
            outer = grad_output.double()
            grads = [
                None if by_rows is None else _chained(by_rows.values, outer, rows).to(rows),
                None
                if by_weights is None
                else _of_weights(by_weights, outer, weight, ctx.primitive.skips).to(weight),
            ]
        if torch.is_grad_enabled():  # create_graph=True
            grads = [
                None if g is None else _Once.apply(g, rows, weight, grad_output)  # type: ignore[no-untyped-call]
                for g in grads
            ]
        return grads[0], grads[1], None, None, None


class _Once(torch.autograd.Function):
    """A gradient that is part of the graph, and says so if it is differentiated."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, *_: Tensor) -> Tensor:
        return gradient.clone()

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> None:
        raise InputError(
            "a second derivative needs a TorchEstimator and the network's default gradient: "
            "gradients through another estimator or gradient object can't be differentiated again"
        )


@dataclass(frozen=True)
class Jacobian:
    """Derivatives ``(B, n_obs, n)`` and their variances, which are zero where none are stated."""

    values: Array
    variances: Array


def _of_weights(jacobian: Jacobian, outer: Tensor, weight: Tensor, skips: Skipped | None) -> Tensor:
    """Derivatives of the loss by weights, without those that are to be skipped."""
    slopes = _chained(jacobian.values, outer, weight, of_weights=True)
    if skips is None:
        return slopes
    variances = _chained(jacobian.variances, outer.square(), weight, of_weights=True)
    return skips.without_small(slopes, variances)


def _chained(values: Array, outer: Tensor, like: Tensor, of_weights: bool = False) -> Tensor:
    """Derivatives of the loss by inputs ``(B, n)``, or by weights ``(n,)`` or ``(R, n)``."""
    rule = _SUMMED if of_weights and like.dim() == 1 else _PER_ROW
    slopes: Tensor = torch.einsum(rule, outer, _like(values, outer))
    return summed(slopes, like) if of_weights and like.dim() == 2 else slopes


def jacobians(
    primitive: Primitive, asked: tuple[Array, Array], by_inputs: bool, by_weights: bool
) -> tuple[Jacobian | None, Jacobian | None]:
    """Derivatives by the inputs and by the weights, at rows and weights that are asked for.

    A :class:`~qvlm_qiskit.quantum.BatchedEstimatorGradient` computes what is needed, at the
    network's ``default_precision`` unless it has one of its own. Any other gradient object is
    called by ``EstimatorQNN.backward``, which computes everything and passes no precision.
    """
    network, gradient = primitive.network, primitive.gradient
    rows, weight = asked
    if not isinstance(gradient, BatchedEstimatorGradient):
        both = _backward(network, rows, weight)
        first, second = (None if x is None else Jacobian(x, np.zeros_like(x)) for x in both)
        return first, second
    circuit, observables = network.circuit, list(network.observables)
    inputs, weights = list(network.input_params), list(network.weight_params)
    # of a fragment, what is prepared where a wire was cut
    constant = getattr(network, "constant_inputs", 0)
    wanted = [*(inputs[constant:] if by_inputs else []), *(weights if by_weights else [])]
    values = joined_arrays(rows, weight)
    place = {parameter: i for i, parameter in enumerate([*inputs, *weights])}
    values = values[:, [place[p] for p in circuit.parameters]]
    size = len(rows) * len(observables)
    result = gradient.run(
        [circuit] * size,
        [observable for observable in observables for _ in rows],
        np.tile(values, (len(observables), 1)),
        [wanted] * size,
        **({} if primitive.elsewhere else _precision(network, gradient)),
    ).result()
    shape = (len(observables), len(rows), len(wanted))
    found, spread = (
        np.asarray(part, dtype=np.float64).reshape(shape).swapaxes(0, 1)
        for part in (result.gradients, result.variances)
    )
    if by_inputs and constant:
        none = np.zeros((*found.shape[:-1], constant))
        found, spread = (np.concatenate([none, part], axis=-1) for part in (found, spread))
    split = len(inputs) if by_inputs else 0
    return (
        Jacobian(found[..., :split], spread[..., :split]) if by_inputs else None,
        Jacobian(found[..., split:], spread[..., split:]) if by_weights else None,
    )


def _precision(network: EstimatorQNN, gradient: BatchedEstimatorGradient) -> dict[str, float]:
    """What the forward pass asks of the estimator, the gradient asks too."""
    samples = gradient.method != "adjoint" and type(gradient._estimator) is not TorchEstimator  # noqa: SLF001
    chosen = "precision" in gradient.options.__dict__
    return {} if chosen or not samples else {"precision": network.default_precision}


def _backward(
    network: EstimatorQNN, rows: Array, weight: Array
) -> tuple[Array | None, Array | None]:
    """The network's own derivatives ``(B, n_obs, …)``: it takes one vector of weights at a time."""
    derive = network.string_jacobians if isinstance(network, ProbabilityQNN) else network.backward
    if weight.ndim == 1:
        found: tuple[Array | None, Array | None] = derive(rows, weight)
        return found
    pairs = zip(rows, np.tile(weight, (len(rows) // len(weight), 1)), strict=True)
    each = [derive(row[None], own) for row, own in pairs]
    first, second = (
        None if parts[0] is None else np.concatenate(parts) for parts in zip(*each, strict=True)
    )
    return first, second


def _like(array: Array, tensor: Tensor) -> Tensor:
    return torch.as_tensor(array).to(tensor)


def _numpy(tensor: Tensor) -> Array:
    return memory_view(tensor.double().cpu())
