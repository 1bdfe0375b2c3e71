"""What a quantum layer can run on: whatever opens an estimator, exact ones with their engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from qiskit.primitives.base import BaseEstimatorV2
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.quantum.density.engine import DensityEngine
from qvlm_qiskit.quantum.split import SplitEngine
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine

Engine = StatevectorEngine | DensityEngine | SplitEngine
WITH_ONE_KERNEL = (StatevectorEngine, DensityEngine)
"""Engines with ``at_once``: small circuits from parameters to expectation values by one kernel."""


@runtime_checkable
class EstimatorSource(Protocol):
    """Anything that opens an estimator, such as what ``open_backend`` returns."""

    def estimator(self) -> BaseEstimatorV2:
        """The estimator to run circuits with."""
        ...


@runtime_checkable
class DifferentiableEstimator(Protocol):
    """An estimator whose exact values autograd can differentiate, such as a noisy backend's."""

    @property
    def real_dtype(self) -> torch.dtype:
        """What it computes in."""
        ...

    def differentiable(
        self,
        circuit: Any,
        observables: Sequence[SparsePauliOp],
        parameters: Sequence[Any],
        num_batched: int,
    ) -> Engine | None:
        """An engine for this circuit; None where values are sampled, not computed."""
        ...
