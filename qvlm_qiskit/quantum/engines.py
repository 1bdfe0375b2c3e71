"""Which engine computes a network's values differentiably, and those that are made already."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, cast

import torch
from qiskit.primitives.base import BaseEstimatorV2
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor

from qvlm_qiskit.basics.late_definitions import needs_values
from qvlm_qiskit.quantum.density.engine import DensityEngine
from qvlm_qiskit.quantum.encoding import widened
from qvlm_qiskit.quantum.estimator import TorchEstimator
from qvlm_qiskit.quantum.evolution import HamiltonianEvolution
from qvlm_qiskit.quantum.gradients.through_pubs import chose_no_gradient
from qvlm_qiskit.quantum.machines import DifferentiableEstimator, Engine
from qvlm_qiskit.quantum.observables import as_pauli_sum
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.readings.probabilities import ProbabilityQNN
from qvlm_qiskit.quantum.row_weights import joined
from qvlm_qiskit.quantum.split import SplitEngine
from qvlm_qiskit.quantum.statevector.by_cones import exact_engine
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine
from qvlm_qiskit.quantum.statevector.readings import ProbabilityEngine


class Engines:
    """The engines of one network: for weights that all rows share, and for weights per row.

    Args:
        network: What a layer runs.
    """

    def __init__(self, network: EstimatorQNN) -> None:
        self.network = network
        self._exact: dict[bool, StatevectorEngine | SplitEngine] = {}
        self._elsewhere: tuple[BaseEstimatorV2, dict[bool, Engine | None]] | None = None

    def differentiable(self, estimator: BaseEstimatorV2, per_row: bool) -> Engine | None:
        """What autograd goes through on an estimator; None if that is to be asked.

        Args:
            estimator: What the network runs on.
            per_row: Whether weights come with every row.

        Raises:
            CircuitError: The estimator can't run the circuit.
            CapacityError: The circuit is too large for it.
        """
        if not chose_no_gradient(self.network):
            return None
        exact = type(estimator) is TorchEstimator and estimator.noise is None
        # what is compiled is defined without values; the check looks at every instruction
        ready = per_row in self._exact if exact else self._elsewhere is not None
        known = (HamiltonianEvolution,) if exact else ()
        if not ready and needs_values(self.network.circuit, known):
            return None
        if type(estimator) is TorchEstimator:
            if estimator.default_precision != 0:
                return None
            if estimator.noise is None:
                return self.exact(per_row)
            return self._made(estimator, estimator.engine, per_row)
        # once known, what is asked of every method is not asked again
        known_one = self._elsewhere is not None and self._elsewhere[0] is estimator
        if known_one or isinstance(estimator, DifferentiableEstimator):
            return self._made(estimator, cast(Any, estimator).differentiable, per_row)
        return None

    def exact(self, per_row: bool) -> StatevectorEngine | SplitEngine:
        """The engine of exact statevectors."""
        if per_row not in self._exact:
            network, parameters = self.network, self._parameters()
            batched = len(parameters) if per_row else network.num_inputs
            if isinstance(network, ProbabilityQNN):
                program = compile_circuit(network.circuit, parameters)
                engine = ProbabilityEngine(program, network.read.qubits, batched)
                self._exact[per_row] = engine
            else:
                observables = [as_pauli_sum(o) for o in network.observables]
                made = exact_engine(network.circuit, observables, parameters, batched)
                self._exact[per_row] = made
        return self._exact[per_row]

    def values(
        self,
        engine: Engine,
        real_dtype: torch.dtype,
        rows: Tensor,
        weight: Tensor,
        features: Tensor | None = None,
    ) -> Tensor:
        """What an engine computes of a layer's tensors.

        Args:
            engine: From `differentiable`.
            real_dtype: Of the states, unless the rows are doubles.
            rows: ``(B, n_inputs)``.
            weight: ``(n_weights,)``, or ``(R, n_weights)``: row i has weights i mod R.
            features: ``(B, 2**n)``: initial states, for the exact engine.
        """
        dtype = torch.float64 if rows.dtype == torch.float64 else real_dtype
        batched, shared = widened(rows), widened(weight.to(rows.device))
        # complex products have no half-precision form, and autocast would round the read-out
        kind = rows.device.type
        rounds = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
        with torch.autocast(kind, enabled=False) if rounds else nullcontext():
            if shared.dim() == 2 and engine is self._exact.get(True) and features is None:
                once = self.exact(False)
                if type(once) is type(engine) is StatevectorEngine:
                    values = once.in_groups(batched, shared, dtype, engine)
                    if values is not None:
                        return values
            batched, shared = joined(batched, shared)
            if isinstance(engine, DensityEngine):
                return engine.expectations(batched, shared, dtype)
            start = None if features is None else widened(features).to(dtype)
            return engine.expectations(batched, shared, start, dtype)

    def _made(self, estimator: BaseEstimatorV2, make: Any, per_row: bool) -> Engine | None:
        """An engine of the estimator's own, kept as long as it stays the same estimator."""
        if self._elsewhere is None or self._elsewhere[0] is not estimator:
            self._elsewhere = (estimator, {})
        made = self._elsewhere[1]
        if per_row not in made:
            network, parameters = self.network, self._parameters()
            observables = [as_pauli_sum(o) for o in network.observables]
            batched = len(parameters) if per_row else network.num_inputs
            made[per_row] = make(network.circuit, observables, parameters, batched)
        return made[per_row]

    def _parameters(self) -> list[Any]:
        return [*self.network.input_params, *self.network.weight_params]

    def __getstate__(self) -> dict[str, Any]:
        """Engines are compiled again on demand: they hold tensors of one device."""
        return {"network": self.network, "_exact": {}, "_elsewhere": None}
