"""How far a machine's expectation values are from the exact ones, block by block."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from qiskit.primitives.base import BaseEstimatorV2
from qiskit.primitives.containers.estimator_pub import EstimatorPub, EstimatorPubLike

from qvlm_qiskit.data.batch import PromptBatch
from qvlm_qiskit.model import HybridVLM
from qvlm_qiskit.quantum import QuantumLayer, TorchEstimator
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


def capture_rows(model: HybridVLM, batch: PromptBatch, limit: int) -> dict[str, Rows]:
    """The distinct inputs that a batch sends to every quantum layer.

    Args:
        model: In evaluation mode.
        batch: Prompts.
        limit: At most so many rows per layer, the first ones.

    Returns:
        Per layer name, ``(rows, n_inputs)`` angles in radians.
    """
    listeners = {name: _Listening(layer) for name, layer in model.quantum_layers.items()}
    with ExitStack() as stack, torch.inference_mode():
        for name, layer in model.quantum_layers.items():
            stack.enter_context(layer.run_on(listeners[name]))
        model(**batch.inputs())
    return {name: np.unique(listener.rows, axis=0)[:limit] for name, listener in listeners.items()}


class _Listening(TorchEstimator):
    """Exact, and remembers the inputs of every pub of one layer."""

    def __init__(self, layer: QuantumLayer) -> None:
        super().__init__()
        network = layer.neural_network
        self._parameters = [*network.input_params, *network.weight_params]
        self.rows: Rows = np.zeros((0, network.num_inputs))

    def run(self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None) -> Any:
        """Evaluate pubs as usual."""
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        for pub in coerced:
            values = pub.parameter_values.as_array(self._parameters)
            inputs = values[..., : self.rows.shape[1]].reshape(-1, self.rows.shape[1])
            self.rows = np.concatenate([self.rows, inputs])
        return super().run(coerced)


def expectation_errors(
    model: HybridVLM, rows: dict[str, Rows], backend: EstimatorSource | BaseEstimatorV2
) -> list[ExpectationError]:
    """Compare a backend's values with exact ones for the same circuits.

    Args:
        model: Trained; its own estimators must be exact.
        rows: From :func:`capture_rows`.
        backend: What ``open_backend`` returns, or any V2 estimator.
    """
    errors = []
    for name, layer in model.quantum_layers.items():
        values = layer.weight.detach().double().cpu().numpy()
        with torch.inference_mode():
            exact = layer(torch.as_tensor(rows[name])).double().cpu().numpy()
        with layer.run_on(backend):
            measured = layer.evaluate_rows(rows[name], values)
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
