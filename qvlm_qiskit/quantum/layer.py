"""``QuantumLayer``: an ``EstimatorQNN`` as a torch module that can move between machines."""

from __future__ import annotations

import math
import warnings
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from qiskit.primitives.base import BaseEstimatorV2
from qiskit_machine_learning.connectors import TorchConnector
from qiskit_machine_learning.gradients import BaseEstimatorGradient
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor, nn

from qvlm_qiskit.basics.late_definitions import needs_values
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum.density.engine import DensityEngine
from qvlm_qiskit.quantum.encoding import amplitude_angles, widened
from qvlm_qiskit.quantum.estimator import TorchEstimator
from qvlm_qiskit.quantum.evolution import HamiltonianEvolution
from qvlm_qiskit.quantum.gradients.ahead import AskedAhead
from qvlm_qiskit.quantum.gradients.batched import BatchedEstimatorGradient
from qvlm_qiskit.quantum.gradients.sampled import (
    Differentiator,
    SampledGradient,
    Skipped,
    as_sampled,
)
from qvlm_qiskit.quantum.gradients.through_pubs import (
    Primitive,
    chose_no_gradient,
    through_primitive,
)
from qvlm_qiskit.quantum.layer_checks import (
    LayerInputError,
    reads_unmapped_qubits,
    require_finite,
)
from qvlm_qiskit.quantum.machines import DifferentiableEstimator, Engine, EstimatorSource
from qvlm_qiskit.quantum.observables import as_pauli_sum
from qvlm_qiskit.quantum.operators import enrol, layer_values
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine
from qvlm_qiskit.quantum.threads import check_threads
from qvlm_qiskit.sampled_gradients import SampledMethod

Array = npt.NDArray[np.float64]


class QuantumLayer(TorchConnector):  # type: ignore[misc]
    """A ``TorchConnector`` whose circuit runs exactly and batched, or on any V2 estimator.

    With a :class:`~qvlm_qiskit.quantum.TorchEstimator` (the class itself, not a subclass, and the
    network's default gradient) values and gradients come from batched states in torch; so they do
    on a backend of exact values under noise (``open_backend("noisy:…", precision=0)``), whose
    compiled circuit is differentiated. There, ``torch.func`` transforms, forward-mode and second
    derivatives work. Every other estimator is called through ``run``: one merged pub per forward
    pass, first derivatives from :attr:`gradient`. No estimator is ever replaced by another.

    An ``EstimatorQNN.default_precision`` does not make an exact estimator sample: it is the
    precision asked of *other* estimators that belong to the network, for values and for gradients.
    An estimator set by :meth:`run_on` uses its own default precision.

    In a program of ``torch.compile`` the layer is one operator, whose gradient computes the states
    again; it follows the layer's estimator, and second derivatives need ``backend="eager"``.
    ``torch.export`` writes the exact engine's torch operations, which need no layer where they are
    loaded; with ``strict=True``, that operator, which works in the same process only.

    The trainable parameter is ``weight``, as in ``TorchConnector``; the second name ``_weights``
    that ``TorchConnector`` stores for the same tensor is accepted when loading and not written,
    because safetensors refuses two names for one tensor.
    """

    def __init__(
        self,
        neural_network: EstimatorQNN,
        initial_weights: Array | Tensor | None = None,
        sparse: bool | None = None,
    ) -> None:
        """Wrap a network.

        Args:
            neural_network: Any ``EstimatorQNN``. Set ``input_gradients=True`` on it if anything
                before this layer is to be trained.
            initial_weights: ``(n_weights,)``; by default uniform in [-1, 1].
            sparse: Only False or None: expectation values are dense.

        Raises:
            InputError: Not an ``EstimatorQNN``, or sparse output was asked for.
        """
        if not isinstance(neural_network, EstimatorQNN):
            raise LayerInputError(
                f"QuantumLayer takes an EstimatorQNN, got {type(neural_network).__name__}"
            )
        if sparse:
            raise LayerInputError(
                "QuantumLayer has dense outputs only: sparse must be False or None"
            )
        if reads_unmapped_qubits(neural_network):
            warnings.warn(
                "EstimatorQNN's default observable ignores the circuit's layout and reads other "
                "qubits: pass observables mapped with apply_layout, or use make_qnn",
                stacklevel=2,
            )
        super().__init__(neural_network, initial_weights, sparse)
        del self._parameters["_weights"]
        self._engine: StatevectorEngine | None = None
        self._elsewhere: tuple[BaseEstimatorV2, Engine | None] | None = None
        self._override: BaseEstimatorV2 | None = None
        self._differentiator: Differentiator | None = None
        self._shifts: tuple[BaseEstimatorGradient, BatchedEstimatorGradient] | None = None
        self._warned = False
        self._number = enrol(self)

    @property
    def weight(self) -> Tensor:
        """The trainable weights, ``(n_weights,)``."""
        try:
            return cast(Tensor, self._parameters["weight"])
        except KeyError as error:  # while TorchConnector registers it
            raise AttributeError("weight") from error

    @property
    def active_estimator(self) -> BaseEstimatorV2:
        """What the next forward pass runs on."""
        return self.neural_network.estimator if self._override is None else self._override

    @property
    def runs_elsewhere(self) -> bool:
        """Whether :meth:`run_on` has set an estimator."""
        return self._override is not None

    @property
    def gradient(self) -> BaseEstimatorGradient:
        """What differentiates values that come through the primitive interface.

        The network's own gradient object; for a network that was left to choose one, the parameter
        shift in one pub, with the network's estimator and pass manager.
        """
        chosen = self.neural_network.gradient
        if not chose_no_gradient(self.neural_network):
            return chosen
        if self._shifts is None or self._shifts[0] is not chosen:
            manager = chosen._pass_manager  # noqa: SLF001  (there is no public way to it)
            batched = BatchedEstimatorGradient(self.neural_network.estimator, pass_manager=manager)
            self._shifts = (chosen, batched)
        return self._shifts[1]

    def run_on(
        self,
        backend: EstimatorSource | BaseEstimatorV2,
        gradient: SampledGradient | SampledMethod | None = None,
    ) -> AbstractContextManager[None]:
        """Run on another estimator from now on; as a context manager, until its end.

        Args:
            backend: What ``open_backend`` returns, or any V2 estimator.
            gradient: How values that are sampled there are differentiated: "param_shift", "spsa",
                or one of them with options; None refuses to, since every row costs time or money.
                Exact values are differentiated exactly in any case.
        """
        return run_on([self], backend, gradient)

    def reseed(self, *seed: int) -> None:
        """Draw the directions of sampled gradients from a seed, where :meth:`run_on` has any."""
        if self._differentiator is not None:
            self._differentiator.gradient.reseed(*seed)

    def same_directions(self) -> AbstractContextManager[None]:
        """Inside the block, sampled gradients draw directions that they will draw again."""
        chosen = self._differentiator
        return nullcontext() if chosen is None else chosen.gradient.same_directions()

    @property
    def skipped(self) -> Skipped | None:
        """Derivatives that were below their standard error, where :meth:`run_on` skips those."""
        return None if self._differentiator is None else self._differentiator.skipped

    def forward(self, input_data: Tensor | None = None) -> Tensor:
        """Expectation values of the network's observables.

        Args:
            input_data: ``(…, n_inputs)`` of any float dtype, on any device; None for a network
                without inputs.

        Returns:
            ``(…, n_observables)`` of the input's dtype, on its device.

        Raises:
            InputError: Wrong last dimension, or not a floating-point tensor.
        """
        weight = self.weight
        inputs = weight.new_zeros(0) if input_data is None else input_data
        if inputs.shape[-1:] != (self.neural_network.num_inputs,) or not inputs.is_floating_point():
            raise LayerInputError(
                f"expected a float tensor (…, {self.neural_network.num_inputs}), got "
                f"{str(inputs.dtype).removeprefix('torch.')} {tuple(inputs.shape)}"
            )
        return self._outputs(inputs, None)

    def encode(self, features: Tensor, inputs: Tensor | None = None) -> Tensor:
        """Expectation values for features that the circuit loads as amplitudes.

        The same as calling the layer with ``amplitude_angles(features)`` followed by ``inputs``.
        The exact engine takes the normalised features as its initial states, without computing
        the angles of the tree and going back.

        Args:
            features: ``(…, 2**n)`` of any scale, for a network whose first 2ⁿ - 1 inputs are the
                angles of an :class:`~qvlm_qiskit.quantum.AmplitudeEncoding` on all its qubits.
            inputs: ``(…, n_inputs - 2**n + 1)``: the network's other inputs.

        Raises:
            InputError: The network doesn't start with such an encoding, or wrong dimensions.
        """
        loaded = features.shape[-1] - 1
        rest = features.new_zeros(*features.shape[:-1], 0) if inputs is None else inputs
        if (
            loaded + rest.shape[-1] != self.neural_network.num_inputs
            or features.shape[:-1] != rest.shape[:-1]
            or not features.is_floating_point()
        ):
            raise LayerInputError(
                f"expected float features and inputs for {self.neural_network.num_inputs} angles, "
                f"got {features.dtype} {tuple(features.shape)} and {tuple(rest.shape)}"
            )
        return self._outputs(rest, features)

    def _outputs(self, inputs: Tensor, features: Tensor | None) -> Tensor:
        """Values ``(…, n_observables)``; in a compiled program, by an operator of torch."""
        lead = inputs.shape[:-1]
        rows, start = inputs, features
        if len(lead) != 1:
            size = math.prod(lead)
            rows = inputs.reshape(size, inputs.shape[-1])
            start = None if features is None else features.reshape(size, features.shape[-1])
        if torch.compiler.is_dynamo_compiling():
            (columns,) = self.neural_network.output_shape
            outputs: Tensor = layer_values(rows, self.weight, start, self._number, columns)
        else:
            check_threads()
            outputs = self.values(rows, self.weight, start)
        return outputs if len(lead) == 1 else outputs.reshape(*lead, outputs.shape[-1])

    def values(
        self, rows: Tensor, weight: Tensor, features: Tensor | None = None, runs: bool = True
    ) -> Tensor:
        """What calling the layer or :meth:`encode` computes, for any weights.

        Args:
            rows: ``(B, n_inputs)``, without those that features take the place of.
            weight: ``(n_weights,)``.
            features: ``(B, 2**n)``: see :meth:`encode`.
            runs: False where only derivatives are wanted: then no estimator is asked for values
                and those returned mean nothing.

        Returns:
            ``(B, n_observables)`` of the dtype of the features, or of the rows.
        """
        dtype = rows.dtype if features is None else features.dtype
        if isinstance(estimator := self.active_estimator, AskedAhead) and estimator.awaits(
            rows, features
        ):
            (columns,) = self.neural_network.output_shape
            return rows.new_full((len(rows), columns), math.nan, dtype=dtype)
        require_finite("inputs", rows)
        engine = self.differentiable_engine()
        start = None
        if features is not None:
            require_finite("features", features)
            if self._loads(engine, features.shape[-1] - 1):
                start = features
            else:
                rows = torch.cat([amplitude_angles(features), rows], dim=-1)
        rows = self._without_cut_gradient(rows)
        if engine is None:
            primitive = self._primitive()
            return through_primitive(rows, weight, primitive, runs).to(dtype)
        values = self._exact(engine, rows, weight, start)
        return values if values.dtype == dtype else values.to(dtype)

    def _loads(self, engine: Engine | None, loaded: int) -> bool:
        """Whether the engine takes features as its initial states.

        Raises:
            InputError: The circuit doesn't start by loading so many amplitudes.
        """
        compiled = self._compiled()
        if not compiled.loads_inputs(loaded):
            raise LayerInputError("this network's circuit doesn't start by loading amplitudes")
        exact = engine is compiled and self.passes_gradients
        return exact and compiled.num_loaded == loaded

    @property
    def passes_gradients(self) -> bool:
        """Whether what computes the layer's inputs gets gradients from it."""
        return bool(self.neural_network.input_gradients)

    def _without_cut_gradient(self, inputs: Tensor) -> Tensor:
        if self.passes_gradients or not inputs.requires_grad:
            return inputs
        self.warn_of_cut_gradient()
        return inputs.detach()

    def warn_of_cut_gradient(self) -> None:
        """Say once that a gradient that was asked for goes no further."""
        if not self._warned:
            self._warned = True
            warnings.warn(
                "this EstimatorQNN has input_gradients=False: no gradient reaches what computes "
                "its inputs; set input_gradients=True to train through it",
                stacklevel=6,
            )

    def differentiable_engine(self) -> Engine | None:
        """What autograd goes through in the next forward pass; None if that asks an estimator.

        Raises:
            CircuitError: The active estimator can't run the circuit.
            CapacityError: The circuit is too large for it.
        """
        estimator = self.active_estimator
        if not chose_no_gradient(self.neural_network):
            return None
        exact = type(estimator) is TorchEstimator and estimator.noise is None
        # what is compiled is defined without values; the check looks at every instruction
        ready = self._engine if exact else self._elsewhere
        known = (HamiltonianEvolution,) if exact else ()
        if ready is None and needs_values(self.neural_network.circuit, known):
            return None
        if type(estimator) is TorchEstimator:
            if estimator.default_precision != 0:
                return None
            if estimator.noise is None:
                return self._compiled()
            make = estimator.engine
        elif isinstance(estimator, DifferentiableEstimator):
            make = estimator.differentiable  # type: ignore[assignment]
        else:
            return None
        if self._elsewhere is None or self._elsewhere[0] is not estimator:
            network = self.neural_network
            parameters = [*network.input_params, *network.weight_params]
            observables = [as_pauli_sum(o) for o in network.observables]
            made = make(network.circuit, observables, parameters, network.num_inputs)
            self._elsewhere = (estimator, made)
        return self._elsewhere[1]

    def _exact(
        self, engine: Engine, rows: Tensor, weight: Tensor, features: Tensor | None = None
    ) -> Tensor:
        estimator = cast(DifferentiableEstimator, self.active_estimator)
        dtype = torch.float64 if rows.dtype == torch.float64 else estimator.real_dtype
        batched, shared = widened(rows), widened(weight.to(rows.device))
        # complex products have no half-precision form, and autocast would round the read-out
        kind = rows.device.type
        rounds = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
        with torch.autocast(kind, enabled=False) if rounds else nullcontext():
            if isinstance(engine, DensityEngine):
                return engine.expectations(batched, shared, dtype)
            start = None if features is None else widened(features).to(dtype)
            return engine.expectations(batched, shared, start, dtype)

    def _compiled(self) -> StatevectorEngine:
        if self._engine is None:
            network = self.neural_network
            parameters = [*network.input_params, *network.weight_params]
            program = compile_circuit(network.circuit, parameters)
            observables = [as_pauli_sum(o) for o in network.observables]
            self._engine = StatevectorEngine(program, observables, network.num_inputs)
        return self._engine

    def evaluate_rows(self, rows: Array, weight: Array) -> Array:
        """Values through the primitive interface: one pub, all observables merged.

        On an estimator set by :meth:`run_on`, rows that are equal to the last bit are sent once:
        there every row costs time or money. Their sampling error is then shared.

        Args:
            rows: ``(B, n_inputs)``.
            weight: ``(n_weights,)``.

        Returns:
            ``(B, n_observables)``.
        """
        return self._primitive().values(rows, weight)

    def _primitive(self) -> Primitive:
        if not self.runs_elsewhere:
            return Primitive(self.neural_network, self.active_estimator, self.gradient)
        chosen = self._differentiator
        gradient = None if chosen is None else chosen.gradient
        return Primitive(self.neural_network, self.active_estimator, gradient, True, self.skipped)

    def __getstate__(self) -> dict[str, Any]:
        """Engines are compiled again on demand: they hold tensors of one device."""
        return {**self.__dict__, "_engine": None, "_elsewhere": None, "_shifts": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy is another layer for compiled programs."""
        super().__setstate__(state)
        self._number = enrol(self)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        state_dict.pop(prefix + "_weights", None)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class run_on(AbstractContextManager[None]):  # noqa: N801  (reads as a verb: with run_on(…):)
    """Sets the estimator of several layers at once; as a context manager, puts the old back."""

    def __init__(
        self,
        layers: nn.Module | list[QuantumLayer],
        backend: EstimatorSource | BaseEstimatorV2,
        gradient: SampledGradient | SampledMethod | None = None,
    ) -> None:
        """Switch at once.

        Args:
            layers: Layers, or a module whose quantum layers are meant.
            backend: What ``open_backend`` returns, or any V2 estimator.
            gradient: Of values that are sampled; see :meth:`QuantumLayer.run_on`.

        Raises:
            InputError: ``backend`` is neither.
            UnknownNameError: No such gradient.
        """
        sampled = as_sampled(gradient)
        if isinstance(layers, nn.Module):
            layers = [m for m in layers.modules() if isinstance(m, QuantumLayer)]
        if isinstance(backend, BaseEstimatorV2):
            estimator = backend
        elif isinstance(backend, EstimatorSource):
            estimator = backend.estimator()
        else:
            raise InputError(
                f"run_on takes an open backend or a V2 estimator, got {type(backend).__name__}"
            )
        self._before = [(one, one._override, one._differentiator) for one in layers]  # noqa: SLF001
        for layer in layers:
            layer._override = estimator  # noqa: SLF001
            made = None if sampled is None else sampled.through(estimator)
            layer._differentiator = made  # noqa: SLF001

    def __enter__(self) -> None:
        """The switch is already made."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put the estimators back."""
        for layer, estimator, differentiator in self._before:
            layer._override = estimator  # noqa: SLF001
            layer._differentiator = differentiator  # noqa: SLF001
