"""Probabilistic error cancellation with a calibrated or stated noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.primitives import BaseEstimatorV2, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.mitigation.mitigator import (
    Expansion,
    Floats,
    Mitigator,
    answer,
    precision_for,
    shots_asked,
    values,
)
from qvlm_qiskit.backends.mitigation.pec_plan import CancellationPlan
from qvlm_qiskit.backends.mitigation.pec_pub import SampledPub, outlined
from qvlm_qiskit.backends.mitigation.report import mitigated_metadata, overhead
from qvlm_qiskit.backends.mitigation.step import (
    MitigatedDevice,
    Step,
    technique,
)
from qvlm_qiskit.backends.pubs.active_qubits import active_qubits
from qvlm_qiskit.backends.pubs.digest import circuit_digest, pub_digest
from qvlm_qiskit.backends.pubs.shots import content_seed
from qvlm_qiskit.basics.caches import LruCache
from qvlm_qiskit.basics.numbers import is_real
from qvlm_qiskit.errors import MitigationError

if TYPE_CHECKING:
    from qvlm_qiskit.backends.mitigation.step import NoiseOf


@technique(
    on={"noisy", "fake"},
    reasons={
        "ibm": "its random circuits need another number of shots than the circuit itself, and one "
        "Runtime job has one"
    },
    candidates=("readout+pec",),
    candidates_on={"noisy"},
)
class Pec(Step):
    """Probabilistic error cancellation of the Pauli part of the calibrated or stated noise.

    Attributes:
        samples: Number of random circuits with at least one inserted Pauli.
        max_overhead: Refused when γ², the factor on the executions, is above it.
    """

    name = "pec"
    fractional = False
    corrects = "gates"
    samples: int = 200
    max_overhead: float = 100.0

    def __post_init__(self) -> None:
        self.whole("samples", 2)
        if not is_real(self.max_overhead) or self.max_overhead < 1:
            self.refuse("max_overhead", "it must be a number of at least 1")

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return f"gate noise cancelled by random signed Paulis in up to {self.samples} circuits"

    def check(self, device: MitigatedDevice) -> None:
        """Make sure that the noise is known."""
        _known_noise(device)

    def wrap(self, inner: BaseEstimatorV2, device: MitigatedDevice) -> ErrorCancelled:
        """`ErrorCancelled` with these parameters."""
        noise = _known_noise(device)
        return ErrorCancelled(inner, noise, self.samples, self.max_overhead, device.seed)


def _known_noise(device: MitigatedDevice) -> NoiseOf:
    if device.noise is None:
        raise MitigationError(
            "pec needs a calibrated or stated noise of the device, and none is known"
        )
    return device.noise


class ErrorCancelled(Mitigator[Pec]):
    """Cancels gate noise by random Paulis with signed weights.

    The inverse of a gate's Pauli noise is a quasi-probability w over Paulis. With γ = ∏ Σ|w| and
    Paulis drawn from |w|/Σ|w| after every noisy gate, the noise-free value is γ times the mean of
    sign × value. The inserted Paulis never run: moved to the end of the circuit, each changes the
    signs of some angles and of the observables' terms, which is exact for noise that is a Pauli
    channel. So all M random circuits and all parameter rows are one template in one pub.

    The circuit without any insertion, of the known probability p₀, is run apart with its share of
    the shots, and the others are measured against it: value = E₀ + γ·(1 − p₀)·mean of
    sign·(E − E₀), which is the same in the mean, since γ·(p₀ + (1 − p₀)·mean of sign) = 1, and
    spreads less. Both shares together are γ² times the pub's shots, which keeps the standard error
    near the asked precision; what the spread over the M circuits adds is part of the stated error.

    The noise is that of the device's calibration or of its formula. Its non-Pauli part
    (relaxation, coherent errors) stays; the metadata states it. Readout errors stay too: combine
    with "readout".

    Source: Temme, Bravyi, Gambetta, Phys. Rev. Lett. 119, 180509 (2017); Pauli noise as in
    van den Berg et al., Nature Physics 19, 1116 (2023).

    Args:
        inner: Runs ISA pubs.
        noise: Gives the noise of some device qubits; entry i describes the i-th of them.
        samples: M.
        max_overhead: Largest γ² to pay.
        seed: Of the Paulis; None counts as 0, so that stored results are found again.
    """

    def __init__(
        self,
        inner: BaseEstimatorV2,
        noise: NoiseOf,
        samples: int = Pec.samples,
        max_overhead: float = Pec.max_overhead,
        seed: int | None = None,
    ) -> None:
        super().__init__(inner, Pec(samples, max_overhead))
        self.noise = noise
        self.seed = seed or 0
        self._plans: LruCache[str, CancellationPlan] = LruCache(64)

    def expand(self, pub: EstimatorPub) -> Expansion:
        """The pub itself, and one pub of M random circuits × parameter rows."""
        shots = shots_asked(pub, "pec")
        plan = self._plan(pub)
        kept = plan.unchanged
        if not plan.noisy:
            return Expansion([pub], lambda runs, *_: _answer(plan, shots, runs, *values(runs)))
        alone, each, count = self._shares(shots, plan.gamma**2, kept)
        first = EstimatorPub(
            pub.circuit, pub.observables, pub.parameter_values, precision_for(alone), validate=False
        )
        rng = np.random.default_rng(content_seed(self.seed, pub_digest(pub)))
        expanded = SampledPub.of(pub, plan.template, plan.draw(count, rng))
        second = expanded.pub(plan.template, precision_for(each))

        def combine(runs: Sequence[Any], model: Any, spent: Sequence[Any]) -> PubResult:
            (alone,), (errors,) = values(runs[:1])
            others = np.asarray(runs[1].data.evs, dtype=float)
            # Σ sign has a known mean: measured against the circuit itself, it drops out.
            factor = plan.gamma * (1 - kept)
            changes = expanded.read(others) - expanded.signs * alone  # (M, *shape)
            spread = changes.var(axis=0, ddof=1) / len(changes)
            left = 1 - factor * expanded.signs.mean()
            mean = alone + factor * changes.mean(axis=0)
            error = np.sqrt((left * errors) ** 2 + factor**2 * spread)
            return _answer(plan, shots, runs, mean[None], error[None])

        return Expansion([first, second], combine)

    def outline(self, pub: EstimatorPub) -> Expansion:
        """The same pubs without drawing circuits: angles are zero, which changes no count."""
        shots = shots_asked(pub, "pec")
        plan = self._plan(pub)
        if not plan.noisy:
            return self.expand(pub)
        alone, each, count = self._shares(shots, plan.gamma**2, plan.unchanged)
        first = EstimatorPub(
            pub.circuit, pub.observables, pub.parameter_values, precision_for(alone), validate=False
        )
        second = outlined(pub, plan.template, count, precision_for(each))
        return Expansion([first, second], _not_run)

    def _shares(
        self, shots: int | None, overhead: float, kept: float
    ) -> tuple[int | None, int | None, int]:
        """Shots of the circuit itself and of each random one, and the number of random ones."""
        if shots is None:
            return None, None, self.options.samples
        alone = max(1, round(shots * overhead * kept))
        rest = max(2, math.ceil(shots * overhead) - alone)
        count = min(self.options.samples, rest)
        return alone, math.ceil(rest / count), count

    def _plan(self, pub: EstimatorPub) -> CancellationPlan:
        def make() -> CancellationPlan:
            qubits = active_qubits(pub.circuit, pub.observables)
            return CancellationPlan.of(pub.circuit, qubits, self.noise(qubits))

        plan = self._plans.get(circuit_digest(pub.circuit), make)
        if plan.gamma**2 > self.options.max_overhead:
            raise MitigationError(
                f"pec needs γ² = {plan.gamma**2:,.0f} times the executions for the "
                f"{len(plan.noisy)} noisy gates of this circuit; max_overhead is "
                f"{self.options.max_overhead:g}"
            )
        return plan


def _not_run(runs: Sequence[Any], model: Any, spent: Sequence[Any]) -> PubResult:
    raise MitigationError("an outline is counted, not run")


def _answer(
    plan: CancellationPlan, shots: int | None, runs: Sequence[Any], evs: Floats, stds: Floats
) -> PubResult:
    metadata = [run.metadata for run in runs]
    about = mitigated_metadata(
        metadata,
        "pec",
        overhead(metadata, shots),
        gamma=plan.gamma,
        noisy_gates=len(plan.noisy),
        probability_unchanged=plan.unchanged,
        samples=int(np.shape(runs[1].data.evs)[0]) if len(runs) > 1 else 0,
        largest_non_pauli_entry=plan.residual,
    )
    return answer(np.asarray(evs[0]), np.asarray(stds[0]), about)
