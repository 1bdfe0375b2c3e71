"""Learns the noise of layers once, through the estimator whose values are mitigated."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.mitigation.layer_noise import DEPTHS, LayerNoise, LearningProtocol
from qvlm_qiskit.backends.mitigation.layer_plan import LayerPlan
from qvlm_qiskit.backends.mitigation.layers import Layer, Layered, Support, as_listed
from qvlm_qiskit.backends.mitigation.mitigator import EstimatorWrapper
from qvlm_qiskit.backends.mitigation.step import MitigatedDevice, Step
from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.errors import MitigationError

LEARNING = 2_000_000
"""Executions that learning the layers of one circuit may take."""
RANDOMIZATIONS = 8
# What was learned through an estimator, for all techniques that learn through it.
_learned: WeakKeyDictionary[BaseEstimatorV2, dict[Any, dict[Layer, LayerNoise]]]
_learned = WeakKeyDictionary()
SHOTS = 512


def check_learning(step: Step, learning: int, randomizations: str) -> None:
    """Refuse a step that may not learn.

    Raises:
        MitigationError: No budget, or too few preparations to tell their signs from noise.
    """
    if learning == 0:
        raise MitigationError(
            f"{step.name} needs a learning budget: learning=0 allows no execution to learn the "
            "noise of a circuit's layers from"
        )
    step.whole("learning", 1, 10**15)
    step.whole(randomizations, 2)


class LayerLearner:
    """The learned noise of a device's layers.

    Its circuits are pubs like all others: where a ledger is in front of the device they are rows
    in it, bought in a job of their own, once for all circuits with equal layers.

    Args:
        inner: Runs ISA pubs.
        device: Its gates, and the date of its calibration.
        budget: Executions that learning the layers of one circuit may take.
        randomizations: Preparations per basis and depth.
        technique: Who asks, for messages.
    """

    def __init__(
        self,
        inner: BaseEstimatorV2,
        device: MitigatedDevice,
        budget: int,
        randomizations: int,
        technique: str,
    ) -> None:
        lacks = [name for name in ("rz", "sx") if name not in device.target.operation_names]
        if lacks:
            raise MitigationError(
                f"{technique} learns with states that rz and sx prepare; this device lacks "
                f"{', '.join(lacks)}"
            )
        # preparation and readout are no part of a decay, and what corrects them costs more
        self.inner: BaseEstimatorV2 = inner.raw if isinstance(inner, EstimatorWrapper) else inner
        self.budget, self.technique = budget, technique
        self.device = device
        self.protocol = LearningProtocol(
            device.target, randomizations, SHOTS, device.calibration or ""
        )
        shared = _learned.setdefault(self.inner, {})
        key = (randomizations, device.calibration)
        self.known: dict[Layer, LayerNoise] = shared.setdefault(key, {})

    def missing(self, circuits: Iterable[QuantumCircuit]) -> list[Layer]:
        """The layers of some circuits that were not learned yet, each once.

        Raises:
            MitigationError: Learning those of one circuit is more than the budget allows.
        """
        found: dict[Layer, None] = {}
        for circuit in circuits:
            unique = Layered.of(circuit, self.technique).unique
            needed = self.protocol.executions() * len(unique)
            if needed > self.budget:
                layers = "one layer" if len(unique) == 1 else f"{len(unique)} layers"
                raise MitigationError(
                    f"{self.technique}: learning the {layers} of this circuit takes "
                    f"{needed:,} executions; learning={self.budget:,} allows fewer"
                )
            found.update(dict.fromkeys(layer for layer in unique if layer not in self.known))
        return list(found)

    def pubs(self, layers: Iterable[Layer]) -> list[EstimatorPub]:
        """What is run to learn some layers."""
        return [pub for layer in layers for pub in self.protocol.pubs(layer)]

    def learn(self, circuits: Iterable[QuantumCircuit]) -> list[Any]:
        """Learn what is missing, in one call; the metadata of the runs."""
        layers = self.missing(circuits)
        if not layers:
            return []
        runs = list(self.inner.run(self.pubs(layers)).result())
        each = 9 * len(DEPTHS)
        for number, layer in enumerate(layers):
            own = runs[number * each : (number + 1) * each]
            self.known[layer] = self.protocol.fit(layer, own)
        return [run.metadata for run in runs]

    def plan(self, circuit: QuantumCircuit) -> LayerPlan:
        """The circuit with the noise of its layers, which were learned before."""
        return LayerPlan.of(circuit, self._noise(circuit), self.technique)

    def expected(self, circuit: QuantumCircuit) -> LayerPlan:
        """The same with the device's stated errors in place of what was not learned yet."""
        found = [
            self.known.get(layer) or self._stated(layer)
            for layer in Layered.of(circuit, self.technique).unique
        ]
        return LayerPlan.of(circuit, found, self.technique)

    def _noise(self, circuit: QuantumCircuit) -> list[LayerNoise]:
        return [self.known[layer] for layer in Layered.of(circuit, self.technique).unique]

    def _stated(self, layer: Layer) -> LayerNoise:
        """Rates that make the infidelity d/(d + 1)·Σλ, d = 4, of the layer's gates."""
        support = Support.of(layer, self.device.target)
        listed = [as_listed(gate, self.device.target) for gate in layer.gates]
        total = sum(_error(self.device, name, qubits) for name, qubits in listed) * 5 / 4
        count = len(support.paulis)
        return LayerNoise(layer, support, np.full(count, total / count), np.zeros(count))


def _error(device: MitigatedDevice, name: str, qubits: Sequence[int]) -> float:
    target = device.target
    if name not in target.operation_names or target[name] is None:
        return 0.0
    properties = target[name].get(tuple(qubits))
    error = None if properties is None else properties.error
    return 0.0 if error is None or not math.isfinite(error) else min(float(error), 0.75)


def planned_learning(
    learner: LayerLearner, plan: Callable[[Iterable[Call]], Iterator[Call]], calls: Iterable[Call]
) -> Iterator[Call]:
    """The calls that learn layers which are new, each in front of the calls that need them.

    Args:
        learner: Knows what was learned.
        plan: What follows from calls once their layers are known.
        calls: Of the estimator.
    """
    seen: set[Layer] = set()
    for call in calls:
        new = [x for x in learner.missing(pub.circuit for pub in call.pubs) if x not in seen]
        seen.update(new)
        if new:
            yield learning_call(learner, new, call.block)
        yield from plan([call])


def learning_call(learner: LayerLearner, layers: Iterable[Layer], block: str) -> Call:
    """The call of `LayerLearner.inner` that learns some layers."""
    return Call(tuple(learner.pubs(layers)), block, calibration=True, raw=True)


def described(plan: LayerPlan) -> dict[str, Any]:
    """What metadata says of learned noise."""
    unique = {one.layer: one for one in plan.noise}
    layers = {str(layer): float(one.rates.sum()) for layer, one in unique.items()}
    chi2 = max((one.chi2 for one in unique.values()), default=1.0)
    return {"layers": len(plan.noise), "learned_rates": layers, "decay_chi2": chi2}


def not_run(runs: Sequence[Any], model: Any, spent: Sequence[Any]) -> PubResult:
    """Stands where an outline's answers would be combined.

    Raises:
        MitigationError: Always.
    """
    raise MitigationError("an outline is counted, not run")
