"""What a paid machine's service itself says that a job would cost, beside the formula."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.preflight.costs import Machine, measured_stack
from qvlm_qiskit.backends.preflight.limits import JobTimer
from qvlm_qiskit.backends.pubs.digest import unchanged_circuits
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.backends.pubs.work import Call, Work
from qvlm_qiskit.errors import QVLMError

WAIT_SECONDS = 600.0
Job = tuple[str, list[EstimatorPub], Sequence[Work]]


@dataclass(frozen=True)
class DryRun:
    """One job, priced by the formula and by the service.

    Attributes:
        mitigation: With which it was planned.
        block: Whose rows it has.
        circuits: That it executes.
        executions: Its shots.
        seconds_qpu: By `FORMULA`; None where durations are not known.
        seconds_service: What the service's dry run would charge; None where it says nothing.
        refused: Why it says nothing, or None.
    """

    mitigation: str
    block: str
    circuits: int = 0
    executions: int = 0
    seconds_qpu: float | None = None
    seconds_service: float | None = None
    refused: str | None = None

    def __str__(self) -> str:
        """Both figures, or why there is one only, in a sentence."""
        if self.refused is not None:
            return f"no dry run of the service: {self.refused}"
        formula = "–" if self.seconds_qpu is None else f"{self.seconds_qpu:,.1f}"
        return (
            f"the largest job ({self.block}, {self.circuits:,} circuits, {self.executions:,} "
            f"executions) takes {formula} QPU s by the formula, {self.seconds_service:,.1f} by the "
            "service's dry run"
        )


def dry_run(
    mitigation: str, backend: Machine, calls: Sequence[Call], wait_seconds: float = WAIT_SECONDS
) -> DryRun:
    """Ask a backend's service what the largest job of some calls would be charged.

    Nothing runs on the machine; the service gets the job, and checks it as it checks others. The
    largest is that with the most executions among those that are within the documented limits.

    Args:
        mitigation: The name that the backend was opened with.
        backend: With that mitigation.
        calls: Abstract calls, as `rehearse` makes them.
        wait_seconds: How long to wait for the figure.
    """
    try:
        with unchanged_circuits():
            return _asked(mitigation, backend, calls, wait_seconds)
    except QVLMError as ex:
        return DryRun(mitigation, "", refused=str(ex))


def _asked(mitigation: str, backend: Machine, calls: Sequence[Call], wait_seconds: float) -> DryRun:
    service = backend.job_service()
    if service is None:
        return DryRun(mitigation, "", refused=f"{backend.name} is run on this computer")
    timer = JobTimer(backend.rep_delay_seconds)
    fitting = [
        (block, pubs, work)
        for block, pubs, work in _jobs(backend, calls)
        if not backend.limits.broken(work, timer.seconds(work))
    ]
    if not fitting:
        return DryRun(mitigation, "", refused="no job is within the documented limits")
    block, pubs, work = max(fitting, key=lambda job: _executions(job[2]))
    circuits = sum(one.circuits for one in work)
    seconds = service.dry_run(Package(tuple(pubs)), wait_seconds=wait_seconds)
    return DryRun(mitigation, block, circuits, _executions(work), timer.seconds(work), seconds)


def _jobs(backend: Machine, calls: Iterable[Call]) -> Iterator[Job]:
    """Block, pubs and work of every job, as the device sends them: those of one precision each."""
    layers, device = measured_stack(backend)
    for layer in layers:
        calls = layer.plan(calls)
    beside = getattr(device, "sent", None)
    runner = getattr(device, "inner", device) if beside else device
    for call in calls:
        groups: dict[float | None, list[EstimatorPub]] = {}
        for pub in beside(call.pubs) if beside else call.pubs:
            groups.setdefault(pub.precision, []).append(pub)
        for pubs in groups.values():
            for work in runner.jobs(pubs):
                yield call.block, pubs, work


def _executions(work: Sequence[Work]) -> int:
    return sum(one.executions for one in work)
