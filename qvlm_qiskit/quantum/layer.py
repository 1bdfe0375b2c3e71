"""``QuantumLayer``: a network of Qiskit as a torch module that can move between machines."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from qiskit_machine_learning.connectors import TorchConnector
from qiskit_machine_learning.neural_networks import EstimatorQNN, SamplerQNN
from torch import Tensor, nn

from qvlm_qiskit.quantum.encoding import amplitude_angles
from qvlm_qiskit.quantum.engines import Engines
from qvlm_qiskit.quantum.gradients.ahead import AskedAhead
from qvlm_qiskit.quantum.gradients.through_pubs import through_primitive
from qvlm_qiskit.quantum.layer_checks import (
    LayerInputError,
    reads_unmapped_qubits,
    require_finite,
)
from qvlm_qiskit.quantum.machines import WITH_ONE_KERNEL, DifferentiableEstimator, Engine
from qvlm_qiskit.quantum.moving import Movable
from qvlm_qiskit.quantum.readings.probabilities import ProbabilityQNN
from qvlm_qiskit.quantum.readings.sampler import network_of_layer
from qvlm_qiskit.quantum.row_weights import (
    check_groups,
    initial_of_groups,
    require_finite_rows,
    rows_of,
)
from qvlm_qiskit.quantum.statevector.readings import ProbabilityEngine
from qvlm_qiskit.quantum.torch_support.operators import enrol, layer_values
from qvlm_qiskit.quantum.torch_support.single_precision import at_least_single
from qvlm_qiskit.quantum.torch_support.threads import check_threads

Array = npt.NDArray[np.float64]


class QuantumLayer(Movable, TorchConnector):  # type: ignore[misc]
    """A ``TorchConnector`` whose circuit runs exactly and batched, or on any V2 estimator.

    With a :class:`~qvlm_qiskit.quantum.TorchEstimator` (the class itself, not a subclass, and the
    network's default gradient) values and gradients come from batched states in torch; so they do
    on a backend of exact values under noise (``open_backend("noisy:…", precision=0)``), whose
    compiled circuit is differentiated. There, ``torch.func`` transforms, forward-mode and second
    derivatives work. Every other estimator is called through ``run``: one merged pub per forward
    pass, first derivatives from :attr:`gradient`. No estimator is ever replaced by another.

    A ``SamplerQNN`` becomes a network of probabilities, :attr:`neural_network`, whose ``origin`` is
    the one given. With qiskit-machine-learning's ``QMLSampler`` without shots, which is exact, they
    come from the exact engine; any other sampler is asked, once per pass. On an estimator that
    :meth:`run_on` sets, they come from Z strings measured in one basis.

    An ``EstimatorQNN.default_precision`` does not make an exact estimator sample: it is the
    precision asked of *other* estimators that belong to the network, for values and for gradients.
    An estimator set by :meth:`run_on` uses its own default precision.

    In a program of ``torch.compile`` the layer is one operator, whose gradient computes the states
    again; it follows the layer's estimator, and second derivatives need ``backend="eager"``.
    ``torch.export`` writes the exact engine's torch operations, which need no layer where they are
    loaded; with ``strict=True``, that operator, which works in the same process only.

    The trainable parameter is ``weight``, as in ``TorchConnector``; the second name ``_weights``
    that ``TorchConnector`` stores for the same tensor is accepted when loading and not written,
    because safetensors refuses two names for one tensor. It is never in half precision: ``.half``
    and ``.to`` leave angles in single.

    With ``groups=G``, ``weight`` is ``(G, n_weights)`` and inputs are ``(…, G, n_inputs)``: G
    circuits side by side, each with weights of its own, in the time of one batch. A call can bring
    other weights than the layer's, per sample or per group, such as a hypernetwork's; they get
    gradients, and where rows are sent anywhere, two are equal if their weights are equal too.
    """

    groups: int | None = None

    def __init__(
        self,
        neural_network: EstimatorQNN | SamplerQNN,
        initial_weights: Array | Tensor | None = None,
        sparse: bool | None = None,
        groups: int | None = None,
    ) -> None:
        """Wrap a network.

        Args:
            neural_network: Any ``EstimatorQNN`` or ``SamplerQNN``. Set ``input_gradients=True`` on
                it if anything before this layer is to be trained.
            initial_weights: ``(n_weights,)``; by default uniform in [-1, 1]. With groups also
                ``(groups, n_weights)``.
            sparse: Only False, or None for a dense network: outputs are dense.
            groups: How many vectors of weights there are; None for one, without that dimension.

        Raises:
            InputError: Another network, sparse output was asked for, or groups that don't fit the
                network or the initial weights.
        """
        neural_network = network_of_layer(neural_network, sparse)
        if reads_unmapped_qubits(neural_network):
            warnings.warn(
                "EstimatorQNN's default observable ignores the circuit's layout and reads other "
                "qubits: pass observables mapped with apply_layout, or use make_qnn",
                stacklevel=2,
            )
        of_groups = None
        if groups is not None:
            check_groups(groups, neural_network.num_weights)
            of_groups = initial_of_groups(initial_weights, groups, neural_network.num_weights)
            initial_weights = None
        elif isinstance(initial_weights, Tensor):  # of which TorchConnector makes a warning
            initial_weights = initial_weights.detach().cpu().numpy()
        super().__init__(neural_network, initial_weights, sparse)
        del self._parameters["_weights"]
        if of_groups is not None:  # the meta device, on which large models are built, has no numpy
            self.weight.data = of_groups
        self.groups = groups
        self._engines = Engines(neural_network)
        self._override = self._differentiator = self._shifts = None
        self._warned = False
        self._number = enrol(self)

    @property
    def weight(self) -> Tensor:
        """The trainable weights, ``(n_weights,)``, with groups ``(groups, n_weights)``."""
        try:
            return cast(Tensor, self._parameters["weight"])
        except KeyError as error:  # while TorchConnector registers it
            raise AttributeError("weight") from error

    def forward(self, input_data: Tensor | None = None, weight: Tensor | None = None) -> Tensor:
        """Expectation values of the network's observables, or the probabilities that it reads.

        Args:
            input_data: ``(…, n_inputs)`` of any float dtype, on any device, with groups
                ``(…, groups, n_inputs)``; None for a network without inputs.
            weight: Instead of :attr:`weight`, of any float dtype: ``(n_weights,)`` for all rows, or
                ``(…, n_weights)`` for each of them, with leading dimensions as those of the inputs,
                the last of those, or ones that broadcast against them.

        Returns:
            ``(…, n_observables)``, or ``(…, *output_shape)``, of the input's dtype, on its device.

        Raises:
            InputError: Wrong last dimension, another number of groups, weights that don't fit, or
                not a floating-point tensor.
        """
        if input_data is None:
            chosen = self.weight if weight is None else weight
            input_data = self.weight.new_zeros(*chosen.shape[:-1], 0)
        inputs, wanted = input_data, self.neural_network.num_inputs
        if not inputs.is_floating_point() or not self._fits(inputs, wanted):
            middle = "" if self.groups is None else f"{self.groups}, "
            raise LayerInputError(
                f"expected a float tensor (…, {middle}{wanted}), got "
                f"{str(inputs.dtype).removeprefix('torch.')} {tuple(inputs.shape)}"
            )
        return self._outputs(inputs, None, weight)

    def _fits(self, inputs: Tensor, width: int) -> bool:
        """Whether the last dimensions are those of the layer."""
        if self.groups is None:
            return inputs.shape[-1:] == (width,)
        return inputs.shape[-2:] == (self.groups, width)

    def encode(
        self, features: Tensor, inputs: Tensor | None = None, weight: Tensor | None = None
    ) -> Tensor:
        """Expectation values for features that the circuit loads as amplitudes.

        The same as calling the layer with ``amplitude_angles(features)`` followed by ``inputs``.
        The exact engine takes the normalised features as its initial states, without computing
        the angles of the tree and going back.

        Args:
            features: ``(…, 2**n)`` of any scale, for a network whose first 2ⁿ - 1 inputs are the
                angles of an :class:`~qvlm_qiskit.quantum.AmplitudeEncoding` on all its qubits.
            inputs: ``(…, n_inputs - 2**n + 1)``: the network's other inputs.
            weight: Instead of :attr:`weight`, as for calling the layer.

        Raises:
            InputError: The network doesn't start with such an encoding, or wrong dimensions.
        """
        loaded = features.shape[-1] - 1
        rest = features.new_zeros(*features.shape[:-1], 0) if inputs is None else inputs
        if (
            not self._fits(rest, self.neural_network.num_inputs - loaded)
            or features.shape[:-1] != rest.shape[:-1]
            or not features.is_floating_point()
        ):
            raise LayerInputError(
                f"expected float features and inputs for {self.neural_network.num_inputs} angles"
                f"{'' if self.groups is None else f' of {self.groups} groups'}, "
                f"got {features.dtype} {tuple(features.shape)} and {tuple(rest.shape)}"
            )
        return self._outputs(rest, features, weight)

    def _outputs(self, inputs: Tensor, features: Tensor | None, given: Tensor | None) -> Tensor:
        """Values ``(…, *output_shape)``; in a compiled program, by an operator of torch."""
        lead, shape = inputs.shape[:-1], self.neural_network.output_shape
        weight = self.weight
        if given is not None:
            weight = rows_of(given, lead, self.neural_network.num_weights)
        rows, start = inputs, features
        if len(lead) != 1:
            size = math.prod(lead)
            rows = inputs.reshape(size, inputs.shape[-1])
            start = None if features is None else features.reshape(size, features.shape[-1])
        if torch.compiler.is_dynamo_compiling():
            columns = math.prod(shape)
            outputs: Tensor = layer_values(rows, weight, start, self._number, columns)
        else:
            check_threads()
            outputs = self.values(rows, weight, start)
        return outputs if len(lead) == len(shape) == 1 else outputs.reshape(*lead, *shape)

    def values(
        self, rows: Tensor, weight: Tensor, features: Tensor | None = None, runs: bool = True
    ) -> Tensor:
        """What calling the layer or :meth:`encode` computes, for any weights.

        Args:
            rows: ``(B, n_inputs)``, without those that features take the place of.
            weight: ``(n_weights,)``, or ``(R, n_weights)``: row i has weights i mod R.
            features: ``(B, 2**n)``: see :meth:`encode`.
            runs: False where only derivatives are wanted: then no estimator is asked for values
                and those returned mean nothing.

        Returns:
            ``(B, n_observables)``, or the outputs of probabilities flattened to ``(B, size)``, of
            the dtype of the features, or of the rows.
        """
        dtype = rows.dtype if features is None else features.dtype
        per_row = weight.dim() == 2
        if features is None and not per_row:
            found = self._at_once(rows, weight)
            if found is not None:
                return self._read(found, False, dtype)
        if isinstance(estimator := self.active_estimator, AskedAhead) and estimator.awaits(
            rows, features, weight if per_row else None
        ):
            columns = math.prod(self.neural_network.output_shape)
            return rows.new_full((len(rows), columns), math.nan, dtype=dtype)
        require_finite("inputs", rows)
        require_finite_rows(weight)
        engine = self.differentiable_engine(per_row)
        start = None
        if features is not None:
            require_finite("features", features)
            if self._loads(engine, features.shape[-1] - 1, per_row):
                start = features
            else:
                rows = torch.cat([amplitude_angles(features), rows], dim=-1)
        rows = self._without_cut_gradient(rows)
        if engine is None:
            values = through_primitive(rows, weight, self._primitive(), runs)
        else:
            estimator = cast(DifferentiableEstimator, self.active_estimator)
            values = self._engines.values(engine, estimator.real_dtype, rows, weight, start)
        return self._read(values, isinstance(engine, ProbabilityEngine), dtype)

    def _read(self, values: Tensor, probabilities: bool, dtype: torch.dtype) -> Tensor:
        """What the network makes of an engine's values: probabilities, or those of Z strings."""
        if isinstance(self.neural_network, ProbabilityQNN):
            read = self.neural_network.read
            values = read.outputs(values) if probabilities else read.of_strings(values)
        return values if values.dtype == dtype else values.to(dtype)

    def _at_once(self, rows: Tensor, weight: Tensor) -> Tensor | None:
        """Values of a small circuit by one kernel; None where there is none, or a closer look."""
        engine = self.differentiable_engine(False)
        cut = rows.requires_grad and not self.passes_gradients
        if cut or not isinstance(engine, WITH_ONE_KERNEL):
            return None
        estimator = cast(DifferentiableEstimator, self.active_estimator)
        single = rows.dtype != torch.float64
        return engine.at_once(rows, weight, estimator.real_dtype if single else torch.float64)

    def _loads(self, engine: Engine | None, loaded: int, per_row: bool) -> bool:
        """Whether the engine takes features as its initial states.

        Raises:
            InputError: The circuit doesn't start by loading so many amplitudes.
        """
        compiled = self._engines.exact(per_row)
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
                "this network has input_gradients=False: no gradient reaches what computes "
                "its inputs; set input_gradients=True to train through it",
                stacklevel=6,
            )

    def differentiable_engine(self, per_row: bool | None = None) -> Engine | None:
        """What autograd goes through in the next forward pass; None if that asks an estimator.

        Args:
            per_row: Whether it takes weights with every row; by default, whether the layer's are
                weights of groups.

        Raises:
            CircuitError: The active estimator can't run the circuit.
            CapacityError: The circuit is too large for it.
        """
        per_row = self.groups is not None if per_row is None else per_row
        return self._engines.differentiable(self.active_estimator, per_row)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Torch's way to every tensor: angles are not narrowed."""
        return super()._apply(at_least_single(fn), recurse)

    def __getstate__(self) -> dict[str, Any]:
        """What differentiates is made again on demand."""
        return {**self.__dict__, "_shifts": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy is another layer for compiled programs."""
        super().__setstate__(state)
        # version 0.1.0 kept its engines otherwise
        self._engines = state.get("_engines") or Engines(self.neural_network)
        self._number = enrol(self)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        state_dict.pop(prefix + "_weights", None)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def quantum_layers(module: nn.Module) -> dict[str, QuantumLayer]:
    """Every quantum layer of a module by its name in it."""
    return {n: m for n, m in module.named_modules() if isinstance(m, QuantumLayer)}
