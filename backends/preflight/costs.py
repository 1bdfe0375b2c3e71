"""What a batch costs with one mitigation: jobs, circuits, executions, time on the machine."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from qiskit import QuantumCircuit
from qiskit.primitives import BaseEstimatorV2
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.compilation.compiled import Compiled
from qvlm_qiskit.backends.compilation.compiler import CompiledCircuit, Compiler
from qvlm_qiskit.backends.mitigation.mitigator import EstimatorWrapper
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.backends.preflight.limits import JobLimits, JobTimer
from qvlm_qiskit.backends.pubs.digest import unchanged_circuits
from qvlm_qiskit.backends.pubs.pauli_terms import pauli_terms
from qvlm_qiskit.backends.pubs.stack import to_device
from qvlm_qiskit.backends.pubs.work import Call, StatesWork, Work
from qvlm_qiskit.backends.service import JobService
from qvlm_qiskit.errors import QVLMError

COMPUTED = ("exact", "approximate")
"""Kinds of machines whose values are computed, not measured: nothing is executed shot by shot."""


class Machine(Protocol):
    """What a preflight asks of a `backends.Backend`; its attributes are explained there."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def num_qubits(self) -> int: ...  # noqa: D102
    @property
    def options(self) -> BackendOptions: ...  # noqa: D102
    @property
    def compiler(self) -> Compiler | None: ...  # noqa: D102
    @property
    def default_precision(self) -> float | None: ...  # noqa: D102
    @property
    def mitigations(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def rep_delay_seconds(self) -> float | None: ...  # noqa: D102
    @property
    def limits(self) -> JobLimits: ...  # noqa: D102

    def estimator(self) -> BaseEstimatorV2:
        """The whole stack."""
        ...

    def compile(self, circuit: QuantumCircuit, observables: Any) -> CompiledCircuit:
        """What will run on the device for this circuit."""
        ...

    def with_mitigation(self, mitigation: str) -> Machine:
        """The same machine and options with another mitigation."""
        ...

    def job_service(self) -> JobService | None:
        """A service for this machine's jobs; None: this computer runs them."""
        ...


@dataclass(frozen=True)
class WorkReport:
    """Circuits with equal shots that are run for one block.

    Attributes:
        block: For which block.
        calibration: Whether they measure the machine instead of the block.
        circuits: Bound, measured circuits.
        shots: Shots of each.
        executions: circuits × shots.
    """

    block: str
    calibration: bool
    circuits: int
    shots: int
    executions: int


@dataclass(frozen=True)
class LevelReport:
    """What the batch costs with one mitigation.

    Attributes:
        mitigation: Its name.
        precision: Target standard error of a value before mitigation; None on exact backends.
        shots_for_precision: Shots per circuit with which the worst value, mitigated, has that
            standard error; None where the mitigation's amplification is not known beforehand.
        jobs: Jobs that are submitted; None where nothing is submitted or the device doesn't say.
        pubs: Pubs that reach the device.
        circuits: Bound, measured circuits, calibration included.
        executions: Circuits × shots, calibration included.
        calibration_executions: The part of them that calibrates.
        seconds_qpu: Estimated time on the machine, see `Preflight.formula`; None where the
            machine's durations are not known.
        work: The same by block.
        at_most: True where the technique decides while it runs, and this is its upper bound.
        limits: Documented limits that would be broken.
        unsure: Sizes at which the service may refuse a job, depending on its options.
        refused: Why this can't run, or None.
    """

    mitigation: str
    precision: float | None = None
    shots_for_precision: int | None = None
    jobs: int | None = None
    pubs: int | None = None
    circuits: int | None = None
    executions: int | None = None
    calibration_executions: int | None = None
    seconds_qpu: float | None = None
    work: tuple[WorkReport, ...] = ()
    at_most: bool = False
    limits: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    refused: str | None = None


def level_report(mitigation: str, backend: Machine, calls: Sequence[Call]) -> LevelReport:
    """What these calls of a backend's estimator would execute; nothing is run.

    Args:
        mitigation: The name that the backend was opened with.
        backend: With that mitigation.
        calls: Abstract calls, as `rehearse` makes them.
    """
    if backend.compiler is None or backend.kind in COMPUTED:
        return LevelReport(mitigation, backend.default_precision)
    try:
        with unchanged_circuits():
            return _measured(mitigation, backend, calls)
    except QVLMError as ex:
        return LevelReport(mitigation, backend.default_precision, refused=str(ex))


def _measured(mitigation: str, backend: Machine, calls: Sequence[Call]) -> LevelReport:
    layers, device = measured_stack(backend)
    timer = JobTimer(backend.rep_delay_seconds)
    found: dict[tuple[str, bool, int], int] = defaultdict(int)
    jobs = pubs = 0
    seconds: float | None = 0.0
    limits: list[str] = []
    unsure: list[str] = []
    for call, planned in _jobs(layers, device, calls):
        pubs += len(call.pubs)
        jobs += len(planned)
        for job in planned:
            for work in job:
                found[call.block, call.calibration or work.calibration, work.shots] += work.circuits
            spent = timer.seconds(job)
            seconds = None if seconds is None or spent is None else seconds + spent
            limits += backend.limits.broken(job, spent)
            unsure += backend.limits.unsure(job)
    limits += backend.limits.beyond_plan(seconds)
    work_done = tuple(
        WorkReport(block, calibration, circuits, shots, circuits * shots)
        for (block, calibration, shots), circuits in found.items()
    )
    return LevelReport(
        mitigation=mitigation,
        precision=backend.default_precision,
        shots_for_precision=_shots_for_precision(backend, layers, device, calls),
        jobs=jobs,
        pubs=pubs,
        circuits=sum(w.circuits for w in work_done),
        executions=sum(w.executions for w in work_done),
        calibration_executions=sum(w.executions for w in work_done if w.calibration),
        seconds_qpu=seconds,
        work=work_done,
        at_most=any(isinstance(x, EstimatorWrapper) and x.plan_is_bound for x in layers),
        limits=tuple(dict.fromkeys(limits)),
        unsure=tuple(dict.fromkeys(unsure)),
    )


def measured_stack(backend: Machine) -> tuple[list[Compiled | EstimatorWrapper], StatesWork]:
    """What changes calls on their way to the device, outermost first, and the device.

    An estimator that passes pubs on as they are, such as a recorder, is looked through by its
    attribute ``inner``: what it may answer from a store counts as if it had to be run.
    """
    layers, device = to_device(backend.estimator())
    return [layer for layer in layers if isinstance(layer, Compiled | EstimatorWrapper)], device


def _jobs(
    layers: Sequence[Compiled | EstimatorWrapper], device: StatesWork, calls: Iterable[Call]
) -> Iterator[tuple[Call, list[list[Work]]]]:
    """Every call that reaches the device, with its jobs."""
    for layer in layers:
        calls = layer.plan(calls)
    for call in calls:
        yield call, device.jobs(call.pubs)


def _shots_for_precision(
    backend: Machine,
    layers: Sequence[Compiled | EstimatorWrapper],
    device: StatesWork,
    calls: Sequence[Call],
) -> int | None:
    """⌈(gain · Σ|c| / precision)²⌉ of the worst observable; a Pauli's variance is at most 1."""
    first = {call.block: call for call in reversed(calls)}
    worst = 0.0
    for call in layers[0].plan(first.values()):
        for pub in call.pubs:
            gains = [x.error_gain(pub) for x in layers if isinstance(x, EstimatorWrapper)]
            gains.append(device.error_gain(pub))
            if any(gain is None for gain in gains):
                return None
            gain = math.prod(gain for gain in gains if gain is not None)
            worst = max(worst, gain * _largest_norm(pub))
    precision = backend.default_precision
    if precision is None or not math.isfinite(worst):
        return None
    return math.ceil((worst / precision) ** 2 - 1e-6)


def _largest_norm(pub: EstimatorPub) -> float:
    """The largest Σ|c| over the strings of an observable that have to be measured."""
    norms = [
        sum(abs(c) for term, c in pauli_terms(observable).items() if term)
        for observable in pub.observables.sparse_observables_array().ravel()
    ]
    return max(norms, default=0.0)
