"""Probabilistic error cancellation with a calibrated or stated noise."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.mitigation.mitigator import (
    Expansion,
    Mitigator,
    answer,
    precision_for,
    shots_asked,
    values,
)
from qvlm_qiskit.backends.mitigation.pauli_frames import (
    FrameWalk,
    check_frames,
    pauli_bits,
)
from qvlm_qiskit.backends.mitigation.pec_inverses import GateInverses, QuasiInverse
from qvlm_qiskit.backends.mitigation.pec_pub import Sample, SampledPub
from qvlm_qiskit.backends.mitigation.report import mitigated_metadata, overhead
from qvlm_qiskit.backends.mitigation.techniques import Pec
from qvlm_qiskit.backends.mitigation.template import AngleTemplate
from qvlm_qiskit.backends.pubs.active_qubits import active_qubits
from qvlm_qiskit.backends.pubs.digest import circuit_digest, pub_digest
from qvlm_qiskit.backends.pubs.shots import content_seed
from qvlm_qiskit.errors import MitigationError
from qvlm_qiskit.noise_models import NoiseSpec

Floats = NDArray[np.float64]
NoiseOf = Callable[[tuple[int, ...]], NoiseSpec]


@dataclass(frozen=True)
class _Plan:
    """What cancelling the noise of a circuit takes.

    G is the number of noisy gates, in the order of the instructions.
    """

    circuit: QuantumCircuit
    template: AngleTemplate
    noisy: tuple[int, ...]  # instruction index of each noisy gate
    inverses: tuple[QuasiInverse, ...]

    @property
    def gamma(self) -> float:
        """γ = ∏ Σ|w|: the standard error grows by it, the executions by its square."""
        return math.prod(inverse.gamma for inverse in self.inverses)

    @property
    def stays(self) -> Floats:
        """(G,) probability that nothing is inserted after a gate."""
        return np.array([inverse.weights[0] / inverse.gamma for inverse in self.inverses])

    @property
    def residual(self) -> float:
        return max((inverse.residual for inverse in self.inverses), default=0.0)


class ErrorCancelled(Mitigator):
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
        super().__init__(inner)
        self.noise = noise
        self.options = Pec(samples, max_overhead)
        self.seed = seed or 0
        self._plans: OrderedDict[str, _Plan] = OrderedDict()

    def expand(self, pub: EstimatorPub) -> Expansion:
        """The pub itself, and one pub of M random circuits × parameter rows."""
        shots = shots_asked(pub, "pec")
        plan = self._plan(pub)
        kept = float(np.prod(plan.stays))
        if not plan.noisy:
            return Expansion(
                [pub], lambda runs, *_: self._report(pub, plan, kept, runs, *values(runs))
            )
        alone, each, count = self._shares(shots, plan.gamma**2, kept)
        first = EstimatorPub(
            pub.circuit, pub.observables, pub.parameter_values, precision_for(alone), validate=False
        )
        sample = self._draw(plan, count, pub)
        expanded = SampledPub.of(pub, plan.template, sample)
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
            return self._report(pub, plan, kept, runs, mean[None], error[None])

        return Expansion([first, second], combine)

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

    def _report(
        self,
        pub: EstimatorPub,
        plan: _Plan,
        kept: float,
        runs: Sequence[Any],
        evs: Floats,
        stds: Floats,
    ) -> PubResult:
        metadata = mitigated_metadata(
            [run.metadata for run in runs],
            "pec",
            overhead([run.metadata for run in runs], shots_asked(pub, "pec")),
            gamma=plan.gamma,
            noisy_gates=len(plan.noisy),
            probability_unchanged=kept,
            samples=int(np.shape(runs[1].data.evs)[0]) if len(runs) > 1 else 0,
            largest_non_pauli_entry=plan.residual,
        )
        return answer(np.asarray(evs[0]), np.asarray(stds[0]), metadata)

    def _plan(self, pub: EstimatorPub) -> _Plan:
        digest = circuit_digest(pub.circuit)
        if digest not in self._plans:
            check_frames(pub.circuit, "pec")
            qubits = active_qubits(pub.circuit, pub.observables)
            self._plans[digest] = self._planned(pub.circuit, qubits)
            if len(self._plans) > 64:
                self._plans.popitem(last=False)
        plan = self._plans[digest]
        if plan.gamma**2 > self.options.max_overhead:
            raise MitigationError(
                f"pec needs γ² = {plan.gamma**2:,.0f} times the executions for the "
                f"{len(plan.noisy)} noisy gates of this circuit; max_overhead is "
                f"{self.options.max_overhead:g}"
            )
        return plan

    def _planned(self, circuit: QuantumCircuit, qubits: tuple[int, ...]) -> _Plan:
        inverses = GateInverses(self.noise(qubits))
        position = {circuit.qubits[qubit]: i for i, qubit in enumerate(qubits)}
        noisy, found = [], []
        for index, item in enumerate(circuit.data):
            if item.name in ("barrier", "delay"):
                continue
            inverse = inverses.get(item.name, tuple(position[bit] for bit in item.qubits))
            if inverse is not None and inverse.gamma > 1 + 1e-12:
                noisy.append(index)
                found.append(inverse)
        return _Plan(circuit, AngleTemplate.of(circuit, "pec"), tuple(noisy), tuple(found))

    def _draw(self, plan: _Plan, count: int, pub: EstimatorPub) -> Sample:
        rng = np.random.default_rng(content_seed(self.seed, pub_digest(pub)))
        choices = _insertions(plan, count, rng)  # (M, G)
        signs = np.ones(count)
        walk = FrameWalk(plan.circuit, count)
        at = {index: gate for gate, index in enumerate(plan.noisy)}
        flips = []
        for index, item in enumerate(plan.circuit.data):
            columns = walk.columns(item.qubits)
            flip = walk.through(item.name, columns)
            if flip is not None:
                flips.append(flip)
            if index in at:
                inverse, chosen = plan.inverses[at[index]], choices[:, at[index]]
                signs *= np.sign(inverse.weights[chosen])
                walk.insert(columns, pauli_bits(len(item.qubits))[chosen])
        stacked = np.stack(flips, axis=1) if flips else np.zeros((count, 0), dtype=bool)
        return Sample(signs, stacked, walk.frames)


def _insertions(plan: _Plan, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Which Pauli follows each noisy gate, (M, G), drawn under the condition that one does.

    The first gate with a Pauli is g with probability ∝ ∏_{h<g} s_h·(1 − s_g); those before have
    none, those behind are drawn freely.
    """
    stays = plan.stays
    before = np.concatenate([[1.0], np.cumprod(stays)[:-1]])
    first = rng.choice(len(stays), size=count, p=_normalised(before * (1 - stays)))
    choices = np.zeros((count, len(stays)), dtype=np.intp)
    for gate, inverse in enumerate(plan.inverses):
        size = np.abs(inverse.weights)
        free = rng.choice(len(size), size=count, p=_normalised(size))
        size[0] = 0.0
        forced = rng.choice(len(size), size=count, p=_normalised(size))
        choices[:, gate] = np.where(first < gate, free, np.where(first == gate, forced, 0))
    return choices


def _normalised(weights: Floats) -> Floats:
    return np.asarray(weights / weights.sum())
