"""How far a machine's expectation values are from the exact ones, block by block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from qiskit.primitives.base import BaseEstimatorV2
from qiskit.primitives.containers.estimator_pub import EstimatorPub, EstimatorPubLike
from torch import nn

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum import CutLayer, QuantumLayer, TorchEstimator, quantum_layers
from qvlm_qiskit.quantum.machines import EstimatorSource

Rows = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ExpectationError:
    """Differences of one block's values from the exact ones.

    Attributes:
        block: Module name of the quantum layer.
        rows: Distinct circuits that were compared.
        rms: Root mean square difference over rows and observables.
        bias: Mean of the difference times the sign of the exact value: negative where values
            shrink towards zero.
    """

    block: str
    rows: int
    rms: float
    bias: float

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"block": self.block, "rows": self.rows, "rms": self.rms, "bias": self.bias}


def capture_rows(
    model: nn.Module, inputs: Mapping[str, torch.Tensor], limit: int
) -> dict[str, Rows]:
    """The distinct rows that a batch sends to every quantum layer.

    Args:
        model: In evaluation mode.
        inputs: A batch, as the model's keyword arguments.
        limit: At most so many rows per layer, the first ones.

    Returns:
        Per layer name, ``(rows, n_inputs)`` angles in radians; where weights are not the layer's
        one vector, ``(rows, n_inputs + n_weights)``.

    Raises:
        InputError: A layer's wires are cut, so that it sends rows of fragments.
    """
    for name, layer in quantum_layers(model).items():
        if isinstance(layer, CutLayer):
            raise InputError(
                f"{name} runs as fragments, whose rows are not those of its circuit: compare the "
                "values of a layer without cuts"
            )
    listeners = {name: _Listening(layer) for name, layer in quantum_layers(model).items()}
    with ExitStack() as stack, torch.inference_mode():
        for name, layer in quantum_layers(model).items():
            stack.enter_context(layer.run_on(listeners[name]))
        model(**inputs)
    return {name: listener.distinct(limit) for name, listener in listeners.items()}


class _Listening(TorchEstimator):
    """Exact, and remembers the parameter values of every pub of one layer."""

    def __init__(self, layer: QuantumLayer) -> None:
        super().__init__()
        network = layer.neural_network
        self._parameters = [*network.input_params, *network.weight_params]
        self._inputs = network.num_inputs
        self._weight = None if layer.groups is not None else _numbers(layer.weight)
        self.rows: Rows = np.zeros((0, len(self._parameters)))

    def distinct(self, limit: int) -> Rows:
        """At most so many distinct rows, without the weights where they are the layer's."""
        inputs, weights = np.split(self.rows, [self._inputs], axis=1)
        own = self._weight is not None and bool((weights == self._weight).all())
        return np.unique(inputs if own else self.rows, axis=0)[:limit]

    def run(self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None) -> Any:
        """Evaluate pubs as usual."""
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        for pub in coerced:
            values = pub.parameter_values.as_array(self._parameters)
            self.rows = np.concatenate([self.rows, values.reshape(-1, self.rows.shape[1])])
        return super().run(coerced)


def expectation_errors(
    model: nn.Module, rows: dict[str, Rows], backend: EstimatorSource | BaseEstimatorV2
) -> list[ExpectationError]:
    """Compare a backend's values with exact ones for the same circuits.

    Args:
        model: Trained; its own estimators must be exact.
        rows: From :func:`capture_rows`.
        backend: What ``open_backend`` returns, or any V2 estimator.
    """
    errors = []
    for name, layer in quantum_layers(model).items():
        inputs, weights = np.split(rows[name], [layer.neural_network.num_inputs], axis=1)
        if weights.shape[1] == 0:
            weights = _numbers(layer.weight)
        with torch.inference_mode():
            given = torch.as_tensor(inputs), torch.as_tensor(weights)
            exact = layer.values(*given).double().cpu().numpy()
        with layer.run_on(backend):
            measured = layer.evaluate_rows(inputs, weights)
        delta = measured - exact
        errors.append(
            ExpectationError(
                block=name,
                rows=len(rows[name]),
                rms=float(np.sqrt(np.mean(delta**2))),
                bias=float(np.mean(delta * np.sign(exact))),
            )
        )
    return errors


def _numbers(weight: torch.Tensor) -> Rows:
    numbers: Rows = weight.detach().double().cpu().numpy()
    return numbers
