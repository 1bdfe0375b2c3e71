"""Zero-noise extrapolation with two-qubit gates folded in the ISA circuit."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, DataBin, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.identity import circuit_digest
from qvlm_qiskit.backends.job import MappedJob
from qvlm_qiskit.backends.mitigation.mitiq_bridge import zero_noise_weights
from qvlm_qiskit.backends.mitigation.report import mitigated_metadata
from qvlm_qiskit.backends.mitigation.technique import Technique
from qvlm_qiskit.backends.plan import Call
from qvlm_qiskit.errors import MitigationError

SELF_INVERSE = ("cx", "cz", "ecr", "swap")
SCALE_FACTORS = (1, 3, 5)


class ZeroNoiseExtrapolated(Technique):
    """Runs every pub at several noise strengths and extrapolates to none.

    At the odd scale factor λ every two-qubit gate G is replaced by G(G⁻¹G)^((λ−1)/2), which is the
    same unitary with λ times its noise; one-qubit gates and readout are not amplified, so only the
    two-qubit share of the error is extrapolated. With the weights c of `zero_noise_weights`, the
    estimate is Σ c_k·E_k and its standard error √(Σ c_k²·σ_k²).

    Source: Temme, Bravyi, Gambetta, Phys. Rev. Lett. 119, 180509 (2017); gate folding after
    Giurgica-Tiron et al., arXiv:2005.10921.

    Args:
        inner: Runs ISA pubs.
        scale_factors: Odd whole numbers, the first is 1.
        extrapolation: "linear", "richardson" or "quadratic".

    Raises:
        MitigationError: Scale factors that can't be folded, or an unknown extrapolation.
        MissingDependencyError: mitiq is not installed.
    """

    def __init__(
        self,
        inner: BaseEstimatorV2,
        scale_factors: Sequence[int] = SCALE_FACTORS,
        extrapolation: str = "linear",
    ) -> None:
        self.inner = inner
        self.scale_factors = tuple(scale_factors)
        if self.scale_factors[:1] != (1,) or any(f < 1 or f % 2 == 0 for f in self.scale_factors):
            raise MitigationError(
                f"scale factors {self.scale_factors} can't be folded: they are odd whole numbers "
                "that start with 1"
            )
        self.extrapolation = extrapolation
        self.weights = zero_noise_weights(
            extrapolation, tuple(float(factor) for factor in self.scale_factors)
        )
        self._folded: OrderedDict[tuple[str, int], QuantumCircuit] = OrderedDict()

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> MappedJob:
        """Run all pubs at all scale factors in one inner job.

        Args:
            pubs: ISA pubs.
            precision: For pubs that name none.

        Raises:
            MitigationError: A gate on two or more qubits that is not its own inverse.
        """
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        return MappedJob(self.inner.run(self._all_amplified(coerced)), self._extrapolated)

    def plan(self, calls: Iterable[Call]) -> Iterator[Call]:
        """The same calls with every pub at all scale factors."""
        for call in calls:
            yield call.with_pubs(self._all_amplified(call.pubs))

    def error_gain(self, pub: EstimatorPub) -> float | None:
        """√(Σ c_k²) of the extrapolation's weights c."""
        return math.sqrt(sum(weight**2 for weight in self.weights))

    def _all_amplified(self, pubs: Sequence[EstimatorPub]) -> list[EstimatorPub]:
        return [self._amplified(pub, factor) for pub in pubs for factor in self.scale_factors]

    def _amplified(self, pub: EstimatorPub, factor: int) -> EstimatorPub:
        key = (circuit_digest(pub.circuit), factor)
        if key not in self._folded:
            self._folded[key] = fold_two_qubit_gates(pub.circuit, factor)
            if len(self._folded) > 256:
                self._folded.popitem(last=False)
        return EstimatorPub(
            self._folded[key],
            pub.observables,
            pub.parameter_values,
            pub.precision,
            validate=False,
        )

    def _extrapolated(self, result: PrimitiveResult[Any]) -> PrimitiveResult[Any]:
        count = len(self.scale_factors)
        answers = [
            self._combined([result[first + k] for k in range(count)])
            for first in range(0, len(result), count)
        ]
        return PrimitiveResult(answers, metadata=result.metadata)

    def _combined(self, runs: list[Any]) -> PubResult:
        values = np.stack([np.asarray(run.data.evs, dtype=float) for run in runs])  # (K, *shape)
        errors = np.stack([np.asarray(run.data.stds, dtype=float) for run in runs])
        weights = np.asarray(self.weights)
        evs = np.tensordot(weights, values, axes=1)
        stds = np.sqrt(np.tensordot(weights**2, errors**2, axes=1))
        metadata = mitigated_metadata(
            [run.metadata for run in runs],
            "zne",
            float(len(runs)),
            scale_factors=list(self.scale_factors),
            extrapolation=self.extrapolation,
            weights=list(self.weights),
        )
        return PubResult(DataBin(evs=evs, stds=stds, shape=evs.shape), metadata)


def fold_two_qubit_gates(circuit: QuantumCircuit, factor: int) -> QuantumCircuit:
    """Repeat every two-qubit gate `factor` times (odd), which leaves the unitary unchanged.

    Raises:
        MitigationError: A gate on two or more qubits that is not cx, cz, ecr or swap.
    """
    folded = circuit.copy_empty_like()
    for item in circuit.data:
        repeats = 1
        if len(item.qubits) > 1 and item.name != "barrier":
            if item.name not in SELF_INVERSE:
                raise MitigationError(
                    f"zero-noise extrapolation can't fold the gate {item.name!r}: it folds "
                    f"{', '.join(SELF_INVERSE)}"
                )
            repeats = factor
        for _ in range(repeats):
            folded.append(item.operation, item.qubits, item.clbits, copy=False)
    return folded
