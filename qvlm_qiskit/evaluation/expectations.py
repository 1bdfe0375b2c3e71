"""How far a machine's expectation values are from the exact ones, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from qiskit.primitives.base import BaseEstimatorV2
from torch import Tensor

from qvlm_qiskit.data.batch import PromptBatch
from qvlm_qiskit.model import HybridVLM
from qvlm_qiskit.quantum.layer import EstimatorSource

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
    """The distinct inputs that a batch sends to every quantum layer, on the model's estimator.

    Args:
        model: In evaluation mode.
        batch: Prompts.
        limit: At most so many rows per layer, the first ones.

    Returns:
        Per layer name, ``(rows, n_inputs)`` angles in radians.
    """
    seen: dict[str, Rows] = {}
    handles = []
    for name, layer in model.quantum_layers.items():

        def note(module: Any, inputs: tuple[Tensor, ...], name: str = name) -> None:
            rows = inputs[0].detach().double().cpu().numpy()
            seen[name] = np.unique(rows.reshape(-1, rows.shape[-1]), axis=0)[:limit]

        handles.append(layer.register_forward_pre_hook(note))
    try:
        with torch.inference_mode():
            model(**batch.inputs())
    finally:
        for handle in handles:
            handle.remove()
    return seen


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
