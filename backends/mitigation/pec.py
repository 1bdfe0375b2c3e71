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
from qiskit.primitives.containers.observables_array import ObservablesArray
from qiskit.quantum_info import SparseObservable

from qvlm_qiskit.backends.grouping import Term, pauli_terms
from qvlm_qiskit.backends.identity import circuit_digest, pub_digest
from qvlm_qiskit.backends.mitigation.channels import GateInverses, QuasiInverse
from qvlm_qiskit.backends.mitigation.frames import (
    Bits,
    FrameWalk,
    anticommutes,
    check_frames,
    pauli_bits,
)
from qvlm_qiskit.backends.mitigation.mitigator import (
    Expansion,
    Mitigator,
    answer,
    precision_for,
    shots_asked,
    values,
)
from qvlm_qiskit.backends.mitigation.report import mitigated_metadata, overhead
from qvlm_qiskit.backends.mitigation.template import AngleTemplate
from qvlm_qiskit.backends.reduce import active_qubits
from qvlm_qiskit.backends.shots import content_seed
from qvlm_qiskit.backends.techniques import Pec
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


@dataclass(frozen=True)
class _Sample:
    """M random circuits with at least one inserted Pauli each.

    Attributes:
        signs: (M,) ±1, the sign of the product of the weights.
        flips: (M, K) which angles of the template change sign.
        frames: (M, 2n) the Pauli that is left at the end of the circuit.
    """

    signs: Floats
    flips: Bits
    frames: Bits


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
        expanded = _SampledPub.of(pub, plan.template, sample)
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

    def _draw(self, plan: _Plan, count: int, pub: EstimatorPub) -> _Sample:
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
        return _Sample(signs, stacked, walk.frames)


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


@dataclass(frozen=True)
class _SampledPub:
    """One pub for all random circuits.

    Its parameter values are (M, 1, …, *rows) and its observables (T, …, *observables): the t-th
    term of every observable, each with the coefficient 1, so its values are (M, T, *shape).
    """

    source: EstimatorPub
    angles: Floats
    terms: ObservablesArray
    signs: Floats  # (M, 1, …) of as many dimensions as (M, *shape)
    weights: Floats  # (M, T, *shape): sign × ± × coefficient

    @classmethod
    def of(cls, pub: EstimatorPub, template: AngleTemplate, sample: _Sample) -> _SampledPub:
        count, dims = len(sample.signs), len(pub.shape)
        angles = template.angles(pub.parameter_values)  # (*rows, K)
        flips = 1.0 - 2.0 * sample.flips.reshape(count, *[1] * (dims + 1), -1)
        terms, factors = _terms(pub.observables, sample)  # (T, *obs), (M, T, *obs)
        shape = [1] * (dims - pub.observables.ndim) + list(pub.observables.shape)
        return cls(
            pub,
            flips * angles,
            terms.reshape((terms.shape[0], *shape)),
            sample.signs.reshape(count, *[1] * dims),
            sample.signs.reshape(count, *[1] * (dims + 1))
            * factors.reshape(count, terms.shape[0], *shape),
        )

    def pub(self, template: AngleTemplate, precision: float) -> EstimatorPub:
        return EstimatorPub(
            template.circuit,
            self.terms,
            template.bindings(self.angles),
            precision,
            validate=False,
        )

    def read(self, evs: Floats) -> Floats:
        """(M, T, *shape) values → (M, *shape) signed values of the observables."""
        return np.asarray((self.weights * evs).sum(axis=1))


def _terms(observables: ObservablesArray, sample: _Sample) -> tuple[ObservablesArray, Floats]:
    """The observables term by term, and coefficient × sign of every term in every circuit."""
    width = observables.num_qubits
    flat = [list(pauli_terms(o).items()) for o in observables.sparse_observables_array().ravel()]
    longest = max((len(terms) for terms in flat), default=1) or 1
    single = np.empty((longest, len(flat)), dtype=object)
    factors = np.zeros((len(sample.signs), longest, len(flat)))
    for column, terms in enumerate(flat):
        for row in range(longest):
            term, coefficient = terms[row] if row < len(terms) else ((), 0.0)
            single[row, column] = _string(term, width)
            flips = anticommutes(sample.frames, _term_bits(term, width))
            factors[:, row, column] = coefficient * (1.0 - 2.0 * flips)
    array = ObservablesArray(
        single.reshape(longest, *observables.shape), num_qubits=width, validate=False
    )
    return array, factors.reshape(len(sample.signs), longest, *observables.shape)


def _string(term: Term, width: int) -> SparseObservable:
    letters, qubits = "".join(letter for _, letter in term), [qubit for qubit, _ in term]
    return SparseObservable.from_sparse_list([(letters, qubits, 1.0)], width)


def _term_bits(term: Term, width: int) -> Bits:
    bits = np.zeros(2 * width, dtype=bool)
    for qubit, letter in term:
        bits[qubit] = letter in "XY"
        bits[width + qubit] = letter in "ZY"
    return bits
