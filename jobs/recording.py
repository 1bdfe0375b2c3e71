"""From an open backend to one whose device is recorded: which service runs its jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from qvlm_qiskit.backends import Backend
from qvlm_qiskit.backends.catalog import check_backend
from qvlm_qiskit.backends.service import JobService
from qvlm_qiskit.basics.same_row import SAME_ROW
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.jobs.costs.budget import Budget
from qvlm_qiskit.jobs.ledger.pinned import pinned
from qvlm_qiskit.jobs.ledger.store import JobStore
from qvlm_qiskit.jobs.recorded import Recorded
from qvlm_qiskit.jobs.services.local import LocalJobs
from qvlm_qiskit.jobs.worker.patience import Policy
from qvlm_qiskit.jobs.worker.sessions import Mode
from qvlm_qiskit.jobs.worker.worker import Report, Worker

ANY_CALIBRATION = "any"


@dataclass(frozen=True)
class Recording:
    """How a backend's jobs are kept and paid.

    Attributes:
        run: Id of the run that they belong to.
        detach: Submit and stop waiting: the forward pass ends with `JobPending`.
        budget: What they may cost.
        policy: How patient the worker is.
        mode: "batch" (on machines that have batches), "session", or "job": each by itself.
        calibration: "any": an answer stays valid when the machine is calibrated again; another
            text is part of every key, such as the date of a calibration.
        fresh: Part of every key: another text asks for new samples of the same values.
        same_row: See `jobs.ledger.same_row`, in radians.
        service: Keyword arguments for the machine's `Backend.service`; for IBM machines
            ``generation="legacy"``, ``visible_after_seconds`` and others of
            `backends.ibm.runtime_jobs.RuntimeJobs`.
        report: Called with the submissions that are waited for.
    """

    run: str | None = None
    detach: bool = False
    budget: Budget = field(default_factory=Budget)
    policy: Policy = field(default_factory=Policy)
    mode: Mode = "batch"
    calibration: str = ANY_CALIBRATION
    fresh: str = ""
    same_row: float = SAME_ROW
    service: Mapping[str, Any] = field(default_factory=dict)
    report: Report | None = None


def recorded_backend(
    backend: Backend, store: JobStore, recording: Recording | None = None
) -> Backend:
    """The same backend with its device behind the ledger.

    Args:
        backend: From `open_backend`.
        store: The ledger.
        recording: How jobs are kept and paid.
    """
    chosen = recording or Recording()
    worker = worker_for(backend, store, chosen)

    def recorder(device: Any, about: dict[str, Any]) -> Recorded:
        context = row_context(about, chosen)
        return Recorded(
            device,
            store,
            context,
            worker,
            run=chosen.run,
            detach=chosen.detach,
            rep_delay_seconds=backend.rep_delay_seconds,
            same_row=chosen.same_row,
            report=chosen.report,
        )

    return backend.recorded(recorder)


def row_context(about: Mapping[str, Any], recording: Recording) -> dict[str, Any]:
    """What the keys of rows cover beside their pubs.

    Args:
        about: `Backend.device_description()`.
        recording: How they are kept.
    """
    policy = {"calibration": recording.calibration, "fresh": recording.fresh}
    if generation := recording.service.get("generation"):
        policy["generation"] = generation
    return {**about, **policy}


def worker_for(backend: Backend, store: JobStore, recording: Recording) -> Worker:
    """A worker for a backend's jobs."""
    service = service_for(backend, store, recording)
    mode = _mode(service, recording.mode)
    return Worker(store, service, recording.budget, recording.policy, mode, run=recording.run)


def _mode(service: JobService, asked: Mode) -> Mode:
    """A batch where there are batches; a session that a machine does not have is refused later."""
    if not service.charges or (asked == "batch" and "batch" not in service.sessions):
        return "job"
    return asked


def service_for(backend: Backend, store: JobStore, recording: Recording) -> JobService:
    """The service that runs a backend's jobs: the machine's own, or this computer."""
    device = backend.device
    if isinstance(device, Recorded):
        return device.worker.service
    if (service := backend.job_service(**recording.service)) is not None:
        return service
    reopen = reopening(backend) if recording.detach else None
    return LocalJobs(device, backend.name, Path(store.folder) / "local", reopen)


def with_circuits(backend: Backend, store: JobStore, circuits: str | None) -> Backend:
    """A backend with the circuits that were compiled for a run at its beginning.

    Args:
        backend: Compiles what is not among them.
        store: Keeps them.
        circuits: Their blob; None where nothing was compiled.

    Raises:
        LedgerError: They are damaged.
    """
    if circuits is None or backend.compiler is None:
        return backend
    return replace(backend, compiler=pinned(backend.compiler, store.blobs.get(circuits)))


def reopening(backend: Backend) -> Mapping[str, Any]:
    """Arguments of `open_backend` that open the same backend again.

    Raises:
        InputError: It was made from an object, such as a noise model, which no name leads to.
    """
    try:
        check_backend(backend.name)
    except UnknownNameError as error:
        raise InputError(
            f"{backend.name} was opened from an object, and a ledger goes on with a backend by its "
            "name: save a noise with NoiseSpec.save and open noisy:FILE.json"
        ) from error
    options = {f.name: getattr(backend.options, f.name) for f in fields(backend.options)}
    return {"name": backend.name, **options}
