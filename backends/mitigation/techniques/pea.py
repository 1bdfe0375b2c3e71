"""Zero-noise extrapolation with learned noise that is made stronger."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

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
    Mitigator,
    answer,
    precision_for,
    shots_asked,
    values,
)
from qvlm_qiskit.backends.mitigation.mitiq_bridge import (
    LINEAR_FACTORIES,
    check_installed,
    zero_noise_weights,
)
from qvlm_qiskit.backends.mitigation.pec_pub import SampledPub, outlined
from qvlm_qiskit.backends.mitigation.report import mitigated_metadata
from qvlm_qiskit.backends.mitigation.step import MitigatedDevice, Step, technique, written
from qvlm_qiskit.backends.pubs.digest import pub_digest
from qvlm_qiskit.backends.pubs.jobs import MappedJob
from qvlm_qiskit.backends.pubs.shots import content_seed
from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.basics.numbers import is_real

MAX_SCALE = 100
"""Beyond, a value has long been lost in any noise, and what is left tells nothing about none."""


@technique(on={"noisy", "fake", "ibm"}, also=("readout+pea",))
class Pea(Step):
    """Probabilistic error amplification: learned noise made stronger, extrapolated to none.

    Attributes:
        scales: Noise factors that start with 1, any numbers above it.
        factory: The extrapolation: "linear", "richardson" or "quadratic".
        samples: Random circuits per amplified factor.
        learning: Executions that learning the layers of one circuit may take.
        randomizations: Learning circuits per basis and depth, each of 512 shots.
    """

    name = "pea"
    fractional = False
    corrects = "gates"
    scales: tuple[float, ...] = (1.0, 3.0, 5.0)
    factory: str = "linear"
    samples: int = 128
    learning: int = LEARNING
    randomizations: int = RANDOMIZATIONS

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", tuple(float(scale) for scale in self.scales))
        self.one_of("factory", LINEAR_FACTORIES)
        self.whole("samples", 2)
        self._check_scales()
        check_learning(self, self.learning, "randomizations")

    def _check_scales(self) -> None:
        rising = all(a < b for a, b in zip(self.scales, self.scales[1:], strict=False))
        if not all(map(is_real, self.scales)) or self.scales[:1] != (1.0,) or not rising:
            self.refuse("scales", "they are rising noise factors that start with 1")
        if self.scales[-1] > MAX_SCALE:
            self.refuse("scales", f"noise may be amplified {MAX_SCALE:,} times at most")
        needed = 3 if self.factory == "quadratic" else 2
        if len(self.scales) < needed:
            self.refuse("scales", f"{self.factory} extrapolation needs at least {needed} of them")

    @property
    def sentence(self) -> str:
        """What it does, in a phrase for a report."""
        return (
            f"learned noise of layers amplified to factors {written(self.scales)} and extrapolated "
            f"to zero ({self.factory})"
        )

    def check(self, device: MitigatedDevice) -> None:
        """Make sure that mitiq is installed."""
        check_installed()

    def wrap(self, inner: BaseEstimatorV2, device: MitigatedDevice) -> NoiseAmplified:
        """`NoiseAmplified` with these parameters."""
        return NoiseAmplified(inner, device, self)


class NoiseAmplified(Mitigator[Pea]):
    """Runs every pub with more of the noise that was learned, and extrapolates to none.

    At the factor s, Paulis are drawn behind every layer of two-qubit gates from noise of (s − 1)
    times its learned rates. As in "pec" they never run: moved to the end, each changes signs of
    some angles and of the observables' terms, so that the M circuits of a factor are rows of one
    pub, which share the shots. Each has at least one Pauli: the circuit without any, whose
    probability p₀ is known, has run at the factor 1, E_s = p₀·E₁ + (1 − p₀)·mean of E. The spread
    of the M circuits is part of the stated error. Noise of one-qubit gates outside of layers, and
    readout, are not amplified.

    Source: Kim et al., Nature 618, 500 (2023); the fits are mitiq's.

    Args:
        inner: Runs ISA pubs.
        device: Its gates, calibration and seed.
        options: The parameters.
    """

    def __init__(self, inner: BaseEstimatorV2, device: MitigatedDevice, options: Pea) -> None:
        super().__init__(inner, options)
        self.seed = device.seed or 0
        self.learner = LayerLearner(
            inner, device, options.learning, options.randomizations, options.name
        )
        self.weights = zero_noise_weights(options.factory, options.scales)
        self._spent: list[Any] = []

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> MappedJob:
        """Learn the layers that are new, then run all pubs.

        Args:
            pubs: ISA pubs of any broadcast shape.
            precision: For pubs that name none.

        Raises:
            MitigationError: A circuit whose layers can't be learned, or not within the budget;
                nothing has run then.
        """
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        for pub in coerced:
            self.learner.expected(pub.circuit)
        self._spent = self.learner.learn(pub.circuit for pub in coerced)
        return super().run(coerced)

    def plan(self, calls: Iterable[Call]) -> Iterator[Call]:
        """The learning that is new, then the expanded pubs."""
        yield from planned_learning(self.learner, super().plan, calls)

    def expand(self, pub: EstimatorPub) -> Expansion:
        """The pub itself, and one pub of M random circuits × parameter rows for every factor."""
        plan, spent = self.learner.plan(pub.circuit), self._spent
        self._spent = []
        if not plan.noisy:
            return Expansion([pub], lambda runs, *_: self._answer(plan, runs, [], spent))
        rng = np.random.default_rng(content_seed(self.seed, pub_digest(pub)))
        count, precision = self._shares(pub)
        sampled = [
            SampledPub.of(pub, plan.template, plan.amplified(scale, count, rng))
            for scale in self.options.scales[1:]
        ]
        made = [one.pub(plan.template, precision) for one in sampled]
        return Expansion([pub, *made], lambda runs, *_: self._answer(plan, runs, sampled, spent))

    def outline(self, pub: EstimatorPub) -> Expansion:
        """The same pubs without drawing circuits, see `outlined`."""
        plan = self.learner.expected(pub.circuit)
        if not plan.layered.layers:
            return Expansion([pub], not_run)
        count, precision = self._shares(pub)
        made = [
            outlined(pub, plan.template, count, precision, part)
            for part in range(len(self.options.scales) - 1)
        ]
        return Expansion([pub, *made], not_run)

    def _shares(self, pub: EstimatorPub) -> tuple[int, float]:
        """Circuits per factor, and the precision of each."""
        shots = shots_asked(pub, "pea")
        if shots is None:
            return self.options.samples, 0.0
        count = max(2, min(self.options.samples, shots))
        return count, precision_for(math.ceil(shots / count))

    def _answer(
        self,
        plan: LayerPlan,
        runs: Sequence[Any],
        sampled: Sequence[SampledPub],
        spent: Sequence[Any],
    ) -> PubResult:
        (alone,), (error,) = values(runs[:1])
        weights = self.weights if sampled else (1.0,)
        share, mean, variance = weights[0], np.zeros_like(alone), np.zeros_like(alone)
        factors = zip(self.options.scales[1:], weights[1:], sampled, runs[1:], strict=True)
        for scale, weight, one, run in factors if sampled else ():
            found = one.read(np.asarray(run.data.evs, dtype=float))  # (M, *shape)
            kept = plan.untouched(scale)
            share += weight * kept
            mean += weight * (1 - kept) * found.mean(axis=0)
            spread = found.var(axis=0, ddof=1) / len(found)
            variance += (weight * (1 - kept)) ** 2 * spread
        about = mitigated_metadata(
            [run.metadata for run in runs],
            "pea",
            float(len(runs)),
            spent,
            scale_factors=list(self.options.scales),
            weights=list(weights),
            **described(plan),
        )
        stds = np.sqrt(variance + (share * error) ** 2)
        return answer(mean + share * alone, stds, about)
