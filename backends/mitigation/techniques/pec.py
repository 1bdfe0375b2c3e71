"""Probabilistic error cancellation with a calibrated, stated or learned noise."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.primitives import BaseEstimatorV2, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.mitigation.layer_learner import (
    LEARNING,
    RANDOMIZATIONS,
    LayerLearner,
    check_learning,
    described,
    not_run,
    planned_learning,
)
from qvlm_qiskit.backends.mitigation.layer_plan import LayerPlan
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
from qvlm_qiskit.backends.pubs.jobs import MappedJob
from qvlm_qiskit.backends.pubs.shots import content_seed
from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.basics.caches import LruCache
from qvlm_qiskit.basics.numbers import is_real
from qvlm_qiskit.errors import MitigationError

if TYPE_CHECKING:
    from qvlm_qiskit.backends.mitigation.step import NoiseOf

MODELS = ("calibrated", "learned")


@technique(
    on={"noisy", "fake", "ibm"},
    also=("pec(model=learned)",),
    candidates=("readout+pec",),
    candidates_on={"noisy"},
)
class Pec(Step):
    """Probabilistic error cancellation of calibrated, stated or learned Pauli noise.

    Attributes:
        samples: Number of random circuits with at least one inserted Pauli.
        max_overhead: Refused when γ², the factor on the executions, is above it.
        model: The noise: "calibrated" (or stated) of every gate, or "learned" of every layer of
            two-qubit gates.
        learning: Executions that learning the layers of one circuit may take.
        randomizations: Learning circuits per basis and depth, each of 512 shots.
    """

    name = "pec"
    fractional = False
    corrects = "gates"
    samples: int = 200
    max_overhead: float = 100.0
    model: str = "calibrated"
    learning: int = LEARNING
    randomizations: int = RANDOMIZATIONS

    def __post_init__(self) -> None:
        self.whole("samples", 2)
        if not is_real(self.max_overhead) or self.max_overhead < 1:
            self.refuse("max_overhead", "it must be a number of at least 1")
        self.one_of("model", MODELS)
        told = (self.learning, self.randomizations) != (LEARNING, RANDOMIZATIONS)
        if told and self.model != "learned":
            raise MitigationError("pec: learning and randomizations belong to model=learned")
        check_learning(self, self.learning, "randomizations")

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return f"gate noise cancelled by random signed Paulis in up to {self.samples} circuits"

    def check_family(self, family: str) -> None:
        """Refuse calibrated noise where jobs are IBM's."""
        if family == "ibm" and self.model == "calibrated":
            raise MitigationError(
                "ibm:* offers no mitigation 'pec' with calibrated noise: what a calibration states "
                "of a gate is no Pauli noise, and one Runtime job has one number of shots; it "
                "offers pec(model=learned), whose circuits are bought in two"
            )

    def check(self, device: MitigatedDevice) -> None:
        """Make sure that the noise is known, or can be learned."""
        self.check_family(device.family)
        if self.model == "calibrated":
            _known_noise(device)

    def wrap(
        self, inner: BaseEstimatorV2, device: MitigatedDevice
    ) -> ErrorCancelled | LearnedErrorCancelled:
        """`ErrorCancelled` or `LearnedErrorCancelled` with these parameters."""
        if self.model == "learned":
            return LearnedErrorCancelled(inner, device, self)
        noise = _known_noise(device)
        return ErrorCancelled(inner, noise, self.samples, self.max_overhead, device.seed)


def _known_noise(device: MitigatedDevice) -> NoiseOf:
    if device.noise is None:
        raise MitigationError(
            "pec needs a calibrated or stated noise of the device, and none is known"
        )
    return device.noise


class Cancelling(Mitigator[Pec]):
    """The circuits and the sums of error cancellation, whatever says what the noise is.

    Args:
        inner: Runs ISA pubs.
        options: The parameters.
        seed: Of the Paulis; None counts as 0, so that stored results are found again.
    """

    def __init__(self, inner: BaseEstimatorV2, options: Pec, seed: int | None) -> None:
        super().__init__(inner, options)
        self.seed = seed or 0
        self._spent: list[Any] = []

    @abstractmethod
    def _plan(self, pub: EstimatorPub) -> CancellationPlan | LayerPlan:
        """What cancelling a pub's noise takes.

        Raises:
            MitigationError: More than is allowed, or noise that can't be cancelled.
        """

    def _expected(self, pub: EstimatorPub) -> CancellationPlan | LayerPlan:
        """The same, as far as it is known before anything has run."""
        return self._plan(pub)

    def expand(self, pub: EstimatorPub) -> Expansion:
        """The pub itself, and one pub of M random circuits × parameter rows."""
        shots = shots_asked(pub, "pec")
        plan, spent = self._plan(pub), self._taken()
        kept = plan.unchanged
        if not plan.noisy:
            return Expansion(
                [pub], lambda runs, *_: _answer(plan, shots, runs, *values(runs), spent)
            )
        alone, each, count = self._shares(shots, plan.gamma**2, kept)
        first = EstimatorPub(
            pub.circuit, pub.observables, pub.parameter_values, precision_for(alone), validate=False
        )
        rng = np.random.default_rng(content_seed(self.seed, pub_digest(pub)))
        expanded = SampledPub.of(pub, plan.template, plan.draw(count, rng))
        second = expanded.pub(plan.template, precision_for(each))

        def combine(runs: Sequence[Any], model: Any, trained: Sequence[Any]) -> PubResult:
            (alone,), (errors,) = values(runs[:1])
            others = np.asarray(runs[1].data.evs, dtype=float)
            # Σ sign has a known mean: measured against the circuit itself, it drops out.
            factor = plan.gamma * (1 - kept)
            changes = expanded.read(others) - expanded.signs * alone  # (M, *shape)
            spread = changes.var(axis=0, ddof=1) / len(changes)
            left = 1 - factor * expanded.signs.mean()
            mean = alone + factor * changes.mean(axis=0)
            error = np.sqrt((left * errors) ** 2 + factor**2 * spread)
            return _answer(plan, shots, runs, mean[None], error[None], spent)

        return Expansion([first, second], combine)

    def outline(self, pub: EstimatorPub) -> Expansion:
        """The same pubs without drawing circuits, see `outlined`."""
        shots = shots_asked(pub, "pec")
        plan = self._expected(pub)
        if not plan.noisy:
            return Expansion([pub], not_run)
        alone, each, count = self._shares(shots, plan.gamma**2, plan.unchanged)
        first = EstimatorPub(
            pub.circuit, pub.observables, pub.parameter_values, precision_for(alone), validate=False
        )
        second = outlined(pub, plan.template, count, precision_for(each))
        return Expansion([first, second], not_run)

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

    def _taken(self) -> Sequence[Any]:
        """The metadata of what was learned in this call, for the first pub alone."""
        spent, self._spent = self._spent, []
        return spent

    def _within(self, gamma: float, what: str) -> None:
        """Refuse an overhead above the one that is allowed."""
        if gamma**2 > self.options.max_overhead:
            raise MitigationError(
                f"pec needs γ² = {gamma**2:,.6g} times the executions for the {what} of this "
                f"circuit; max_overhead is {self.options.max_overhead:g}"
            )


class ErrorCancelled(Cancelling):
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
        super().__init__(inner, Pec(samples, max_overhead), seed)
        self.noise = noise
        self._plans: LruCache[str, CancellationPlan] = LruCache(64)

    def _plan(self, pub: EstimatorPub) -> CancellationPlan:
        def make() -> CancellationPlan:
            qubits = active_qubits(pub.circuit, pub.observables)
            return CancellationPlan.of(pub.circuit, qubits, self.noise(qubits))

        plan = self._plans.get(circuit_digest(pub.circuit), make)
        self._within(plan.gamma, f"{len(plan.noisy)} noisy gates")
        return plan


class LearnedErrorCancelled(Cancelling):
    """Cancels the noise that was learned of a circuit's layers of two-qubit gates.

    Every layer's Pauli-Lindblad noise is inverted Pauli by Pauli, γ = exp(2 Σ λ). Noise of
    one-qubit gates outside of layers stays, and so does what is not Pauli noise; "twirling" makes
    Pauli noise of it, also in what is learned.

    Source: van den Berg, Minev, Kandala, Temme, Nature Physics 19, 1116 (2023).

    Args:
        inner: Runs ISA pubs.
        device: Its gates, calibration and seed.
        options: The parameters.
    """

    def __init__(self, inner: BaseEstimatorV2, device: MitigatedDevice, options: Pec) -> None:
        super().__init__(inner, options, device.seed)
        self.learner = LayerLearner(
            inner, device, options.learning, options.randomizations, options.name
        )

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> MappedJob:
        """Learn the layers that are new, then run all pubs.

        Args:
            pubs: ISA pubs of any broadcast shape.
            precision: For pubs that name none.

        Raises:
            MitigationError: A circuit whose layers can't be learned, or not within the budget, or
                whose stated errors cost more than is allowed: nothing has run then. Or what was
                learned costs more.
        """
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        for pub in coerced:
            self._expected(pub)
        self._spent = self.learner.learn(pub.circuit for pub in coerced)
        return super().run(coerced)

    def plan(self, calls: Iterable[Call]) -> Iterator[Call]:
        """The learning that is new, then the pubs, by stated errors until it is learned."""
        yield from planned_learning(self.learner, super().plan, calls)

    def _plan(self, pub: EstimatorPub) -> LayerPlan:
        plan = self.learner.plan(pub.circuit)
        self._within(plan.gamma, f"{len(plan.noisy)} noisy layers")
        return plan

    def _expected(self, pub: EstimatorPub) -> LayerPlan:
        plan = self.learner.expected(pub.circuit)
        self._within(plan.gamma, f"{len(plan.noisy)} noisy layers")
        return plan


def _answer(
    plan: CancellationPlan | LayerPlan,
    shots: int | None,
    runs: Sequence[Any],
    evs: Floats,
    stds: Floats,
    spent: Sequence[Any] = (),
) -> PubResult:
    metadata = [run.metadata for run in runs]
    about = mitigated_metadata(
        metadata,
        "pec",
        overhead(metadata, shots),
        spent,
        **(described(plan) if isinstance(plan, LayerPlan) else {}),
        gamma=plan.gamma,
        noisy_gates=len(plan.noisy),
        probability_unchanged=plan.unchanged,
        samples=int(np.shape(runs[1].data.evs)[0]) if len(runs) > 1 else 0,
        largest_non_pauli_entry=plan.residual,
    )
    return answer(np.asarray(evs[0]), np.asarray(stds[0]), about)
