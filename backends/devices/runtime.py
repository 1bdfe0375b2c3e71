"""Qiskit Runtime's own client as a device: local fake backends and IBM hardware."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterExpression
from qiskit.primitives import BaseEstimatorV2, DataBin, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.transpiler import Target
from qiskit_ibm_runtime.decoders.executor_estimator.post_processor_v0_1 import (
    estimator_v2_post_processor_v0_1,
)
from qiskit_ibm_runtime.executor_estimator import Estimator
from qiskit_ibm_runtime.executor_estimator.prepare import prepare

from qvlm_qiskit.backends.devices.programs import connected, run_in_parts
from qvlm_qiskit.backends.devices.runtime_plans import RuntimePlans
from qvlm_qiskit.backends.mitigation.names import done_by_runtime
from qvlm_qiskit.backends.mitigation.step import Step
from qvlm_qiskit.backends.pubs.active_qubits import (
    ReducedBackend,
    active_qubits,
    restrict_circuit,
    restrict_observables,
)
from qvlm_qiskit.backends.pubs.digest import pub_digest
from qvlm_qiskit.backends.pubs.jobs import FinishedJob, MappedJob
from qvlm_qiskit.backends.pubs.pauli_terms import pauli_terms
from qvlm_qiskit.backends.pubs.shots import content_seed, precision_of_shots, shots_of_precision
from qvlm_qiskit.backends.pubs.work import Work
from qvlm_qiskit.basics.caches import LruCache
from qvlm_qiskit.errors import BackendError, CapacityError

DEFAULT_SHOTS = 4096
DEFAULT_PRECISION = precision_of_shots(DEFAULT_SHOTS)
# Noisy local simulation beyond this runs into gigabytes and hours.
MAX_LOCAL_QUBITS = 24


class LocalRuntimeEstimator(BaseEstimatorV2):
    """A fake device behind the unmodified Runtime client in local mode.

    The client measures every qubit of the circuit, so each pub is cut down to its active qubits
    first. Pubs with the same active qubits and precision share one local job, in which the
    client's resilience level (twirling, TREX, ZNE) is really applied.

    Args:
        device: The fake backend.
        resilience_level: 0, 1 or 2.
        seed: Equal jobs with an equal seed give equal results; None draws fresh ones.
        default_precision: For pubs that name none.
        settings: Further options of the client, such as `runtime_settings` gives.
        in_parts: The client's program is simulated in parts between which no gate acts, so that
            circuits side by side on the device run.
    """

    def __init__(
        self,
        device: Any,
        resilience_level: int = 0,
        seed: int | None = None,
        default_precision: float | None = None,
        settings: Mapping[str, Any] | None = None,
        in_parts: bool = False,
    ) -> None:
        self.device = device
        self.in_parts = in_parts
        self.settings = dict(settings or {})
        self.resilience_level = resilience_level
        self.seed = seed
        self.default_precision = default_precision or DEFAULT_PRECISION
        self._reduced: LruCache[Any, ReducedBackend] = LruCache(64)
        self._plans = RuntimePlans()

    @property
    def technique(self) -> str:
        """What the client does, in the words of `parse_mitigation`."""
        return runtime_technique(self.resilience_level, self.settings)

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> FinishedJob:
        """Run ISA pubs on the reduced fake device.

        Args:
            pubs: ISA pubs of any broadcast shape.
            precision: For pubs that name none.

        Raises:
            CircuitError: Measurements or control flow in a circuit.
            CapacityError: More active qubits than a local simulation takes.
        """
        precision = self.default_precision if precision is None else precision
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        results: dict[int, PubResult] = {}
        for qubits, members in _batches(coerced):
            answers = self._run_batch([coerced[i] for i in members], qubits)
            results.update(zip(members, answers, strict=True))
        ordered = [results[index] for index in range(len(coerced))]
        return FinishedJob(PrimitiveResult(ordered, metadata={"version": 2}))

    def jobs(self, pubs: Sequence[EstimatorPub]) -> list[list[Work]]:
        """What the client would execute, in one local job per set of qubits and precision."""
        return [
            self._plans.work([pubs[i] for i in members], partial(self._prepared, qubits))
            for qubits, members in _batches(pubs)
        ]

    def error_gain(self, pub: EstimatorPub) -> float | None:
        """1 at level 0; TREX and ZNE depend on what is measured."""
        return None if self.resilience_level else 1.0

    @property
    def _calibrates(self) -> bool:
        """Whether the client appends a TREX calibration to a job."""
        return self.resilience_level > 0

    def _prepared(self, qubits: tuple[int, ...], pubs: Sequence[EstimatorPub]) -> list[Work]:
        """The client's program for pubs with these active qubits."""
        device = self._cut_down(qubits)
        estimator = Estimator(mode=device, options=self._options(None))
        reduced = self._reduce(pubs, qubits)
        program, _ = prepare(reduced, estimator.options, add_tags=True, backend=device)
        return _work(program, len(reduced), self._calibrates, device.target)

    def _options(self, seed: int | None) -> dict[str, Any]:
        """The client's options."""
        return {
            "resilience_level": self.resilience_level,
            "simulator": {"seed_simulator": seed},
            **self.settings,
        }

    def _run_batch(self, pubs: list[EstimatorPub], qubits: tuple[int, ...]) -> list[PubResult]:
        reduced = self._reduce(pubs, qubits)
        digests = "".join(pub_digest(pub) for pub in pubs)
        seed = content_seed(self.seed, hashlib.sha256(digests.encode()).hexdigest())
        estimator = Estimator(mode=self._cut_down(qubits), options=self._options(seed))
        if self.in_parts:
            program, found = self._in_parts(estimator, reduced, qubits, seed)
        else:
            job = estimator.run(reduced)
            program, found = job.inputs, job.result()
        counted = _executions(program, len(pubs), trex=self._calibrates)
        return [
            _annotated(answer, pub, self.technique, {"active_qubits": list(qubits), **cost})
            for answer, pub, cost in zip(found, pubs, counted, strict=True)
        ]

    def _in_parts(
        self, estimator: Any, pubs: Sequence[EstimatorPub], qubits: tuple[int, ...], seed: int
    ) -> tuple[Any, Any]:
        """The client's program and its result, as the client's local mode makes them."""
        device = self._cut_down(qubits)
        program, _ = prepare(pubs, estimator.options, add_tags=True, backend=device)
        program._semantic_role = "estimator_v2"  # noqa: SLF001  (as `Estimator.run` does)
        outcome = run_in_parts(
            program,
            lambda part: self._cut_down(tuple(qubits[q] for q in part)),
            seed,
            MAX_LOCAL_QUBITS,
        )
        return program, estimator_v2_post_processor_v0_1(outcome)

    def _cut_down(self, qubits: tuple[int, ...]) -> ReducedBackend:
        return self._reduced.get(qubits, lambda: ReducedBackend(self.device, qubits))

    def _reduce(self, pubs: Sequence[EstimatorPub], qubits: tuple[int, ...]) -> list[EstimatorPub]:
        """The pubs on their active qubits."""
        widest = qubits
        if self.in_parts:
            parts = connected([pub.circuit for pub in pubs], qubits)
            widest = max(parts, key=len)
        if len(widest) > MAX_LOCAL_QUBITS:
            raise CapacityError(
                f"the circuit uses {len(widest)} qubits; a local noisy simulation takes at most "
                f"{MAX_LOCAL_QUBITS}"
            )
        for pub in pubs:
            _check_parameters(pub.circuit)
        return [
            EstimatorPub(
                _equal_by_name(restrict_circuit(pub.circuit, qubits)),
                restrict_observables(pub.observables, qubits),
                pub.parameter_values,
                pub.precision,
            )
            for pub in pubs
        ]


class HardwareEstimator(BaseEstimatorV2):
    """A real IBM backend behind Qiskit Runtime's client-side Estimator.

    Tested against a service on the same computer. A connection that is lost while a job is being
    submitted loses track of it: `jobs.RuntimeJobs` is for what costs money.

    Args:
        machine: An `IBMBackend` from `QiskitRuntimeService`.
        resilience_level: 0, 1 or 2.
        default_precision: For pubs that name none.
        settings: Further options of the client, such as `runtime_settings` gives.
    """

    def __init__(
        self,
        machine: Any,
        resilience_level: int = 0,
        default_precision: float | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.machine = machine
        self.settings = dict(settings or {})
        self.resilience_level = resilience_level
        self.default_precision = default_precision or DEFAULT_PRECISION
        self._plans = RuntimePlans()

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> MappedJob:
        """Submit ISA pubs as one Runtime job.

        Args:
            pubs: ISA pubs of any broadcast shape, all of one precision.
            precision: For pubs that name none.

        Raises:
            BackendError: Pubs of different precisions: one Runtime job has one. A ledger in front
                of the machine buys them in several.
        """
        precision = self.default_precision if precision is None else precision
        coerced = [EstimatorPub.coerce(pub, precision) for pub in pubs]
        self._check(coerced)
        estimator = Estimator(
            mode=self.machine,
            options={"resilience_level": self.resilience_level, **self.settings},
        )
        technique = runtime_technique(self.resilience_level, self.settings)

        def annotate(result: PrimitiveResult[Any]) -> PrimitiveResult[Any]:
            answers = [
                _annotated(answer, pub, technique, {})
                for answer, pub in zip(result, coerced, strict=True)
            ]
            return PrimitiveResult(answers, metadata=result.metadata)

        return MappedJob(estimator.run(coerced), annotate)

    def jobs(self, pubs: Sequence[EstimatorPub]) -> list[list[Work]]:
        """What the client would submit, in one job for each precision."""
        by_precision: dict[float | None, list[EstimatorPub]] = {}
        for pub in pubs:
            by_precision.setdefault(pub.precision, []).append(pub)
        groups = list(by_precision.values())
        for group in groups:
            self._check(group)
        return [self._plans.work(group, self._prepared) for group in groups]

    def error_gain(self, pub: EstimatorPub) -> float | None:
        """1 at level 0; TREX and ZNE depend on what is measured."""
        return None if self.resilience_level else 1.0

    def _prepared(self, pubs: Sequence[EstimatorPub]) -> list[Work]:
        """The client's program for pubs."""
        options = {"resilience_level": self.resilience_level, **self.settings}
        estimator = Estimator(mode=self.machine, options=options)
        program, _ = prepare(pubs, estimator.options, backend=self.machine)
        return _work(program, len(pubs), self.resilience_level > 0, self.machine.target)

    def _check(self, pubs: Sequence[EstimatorPub]) -> None:
        if len({pub.precision for pub in pubs}) > 1:
            raise BackendError(
                "one Runtime job has one precision: run pubs of different precisions separately"
            )
        for pub in pubs:
            _check_parameters(pub.circuit)


def _batches(pubs: Sequence[EstimatorPub]) -> list[tuple[tuple[int, ...], list[int]]]:
    """Indices of the pubs that share one local job, with their active qubits."""
    batches: dict[tuple[tuple[int, ...], float | None], list[int]] = {}
    for index, pub in enumerate(pubs):
        key = (active_qubits(pub.circuit, pub.observables), pub.precision)
        batches.setdefault(key, []).append(index)
    return [(qubits, members) for (qubits, _), members in batches.items()]


def runtime_settings(steps: Iterable[Step]) -> tuple[int, dict[str, Any]]:
    """The client's resilience level and further options for the techniques that it applies.

    Args:
        steps: Techniques; those that are our own wrappers are passed over.
    """
    settings: dict[str, Any] = {}
    for step in steps:
        settings.update(step.runtime_options())
    return settings.pop("resilience_level", 0), settings


def runtime_technique(level: int, settings: Mapping[str, Any]) -> str:
    """What the client does with a level and further options, in the words of `parse_mitigation`."""
    return "+".join([f"resilience-{level}", *done_by_runtime(frozenset(settings))])


def _equal_by_name(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with parameters that equal those of the same names in any other circuit.

    samplomatic 0.21 names boxes by their text for the whole process, and gives up at the 14th that
    reads like others and still is not equal to them.
    """
    named = {p: Parameter(p.name, uuid=uuid5(NAMESPACE_OID, p.name)) for p in circuit.parameters}
    renamed = circuit.copy()
    # Qiskit 2.6 replaces the phase's parameters one by one, and finds two of one name on the way
    phase, renamed.global_phase = circuit.global_phase, 0.0
    renamed.assign_parameters({p: named[p] for p in renamed.parameters}, inplace=True)
    if isinstance(phase, ParameterExpression):
        phase = phase.subs({p: named[p] for p in phase.parameters})
    renamed.global_phase = phase
    return renamed


def _check_parameters(circuit: QuantumCircuit) -> None:
    """Refuse what samplomatic 0.21 fails on with an AttributeError: u3(θ, 0, 0) and the like."""
    for item in circuit.data:
        symbolic = [isinstance(value, ParameterExpression) for value in item.params]
        if any(symbolic) and not all(symbolic):
            raise BackendError(
                f"the Runtime client can't run the gate {item.name!r} with parameters and numbers "
                "mixed, which devices with u2 and u3 gates need: take a device with rz and sx, or "
                "noisy:<device>"
            )


def _executions(program: Any, pubs: int, trex: bool) -> list[dict[str, int]]:
    """What each pub costs in a Runtime program; with TREX the last item calibrates for all."""
    sizes = [int(item.size()) for item in program.items]
    each = (len(sizes) - trex) // pubs
    calibration = sum(sizes[each * pubs :]) * program.shots
    costs = []
    for first in range(0, each * pubs, each):
        circuits = sum(sizes[first : first + each])
        costs.append({"circuits": circuits, "executions": circuits * program.shots})
        if calibration:
            costs[-1]["calibration_executions_of_job"] = calibration
    return costs


def _work(program: Any, pubs: int, trex: bool, target: Target) -> list[Work]:
    """A Runtime program's items; with TREX the last one calibrates for all."""
    items = list(program.items)
    last = (len(items) - trex) // pubs * pubs
    return [
        Work(item.circuit, int(item.size()), int(program.shots), target, calibration=i >= last)
        for i, item in enumerate(items)
    ]


def _annotated(
    answer: Any, pub: EstimatorPub, technique: str, details: dict[str, Any]
) -> PubResult:
    """The client's answer with this platform's keys in its metadata."""
    metadata = {
        **answer.metadata,
        "technique": technique,
        "target_precision": pub.precision,
        "shots": shots_of_precision(pub.precision),
        **details,
    }
    return PubResult(_with_errors(answer.data, pub), metadata)


def _with_errors(data: Any, pub: EstimatorPub) -> Any:
    """The client's values; a single shot, which shows no variance, gets the largest possible."""
    if shots_of_precision(pub.precision) > 1:
        return data
    norms = [  # all strings may have been read in that one shot
        sum(abs(value) for term, value in pauli_terms(observable).items() if term)
        for observable in pub.observables.sparse_observables_array().ravel()
    ]
    stds = np.broadcast_to(np.reshape(norms, pub.observables.shape), pub.shape)
    stds = np.maximum(np.asarray(data.stds, dtype=float), stds)
    return DataBin(evs=data.evs, stds=stds, shape=pub.shape)
