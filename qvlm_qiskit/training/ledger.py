"""A training in the ledger: its record, what its steps may cost, and what they have cost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends import Backend
from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.basics.files import write_json
from qvlm_qiskit.errors import InputError, JobFailedError, LedgerError
from qvlm_qiskit.inference.afford import check_allowance, check_left
from qvlm_qiskit.jobs import JobStore, Recorded, recorded_backend
from qvlm_qiskit.jobs.costs.budget import spent
from qvlm_qiskit.jobs.costs.forecast import Forecaster
from qvlm_qiskit.jobs.costs.spent import costs_of
from qvlm_qiskit.jobs.ledger.pinned import compiled_bytes
from qvlm_qiskit.jobs.ledger.runs import (
    TRAINING,
    JobRun,
    RunStateError,
    close_run,
    list_runs,
    living_for,
    load_run,
    new_run,
    submissions_of,
)
from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.jobs.recording import Recording, reopening, row_context, service_for, with_circuits
from qvlm_qiskit.quantum import SampledGradient
from qvlm_qiskit.training.models import Subject
from qvlm_qiskit.training.place import BOUGHT_FOR
from qvlm_qiskit.training.plan import TrainingPlan

VERSION = 1


@dataclass(frozen=True)
class Ledger:
    """Through which ledger a training goes, and what it may cost.

    Attributes:
        store: The ledger.
        recording: How its jobs are kept; its budget is that of the whole training.
        plan: From `plan_training` with the same arguments, where it is known already.
        command: Goes on with the training, for whoever looks at the ledger.
    """

    store: JobStore
    recording: Recording = field(default_factory=Recording)
    plan: TrainingPlan | None = None
    command: str | None = None

    def known_as(self, command: str) -> Ledger:
        """The same with the command that goes on."""
        return replace(self, command=command)

    @property
    def limited(self) -> bool:
        """Whether there is a budget."""
        budget = self.recording.budget
        return budget.seconds is not None or budget.executions is not None

    def left(self, partial: Path | None) -> tuple[float | None, float | None]:
        """QPU seconds and executions that the budget has left; None: not limited.

        Args:
            partial: The folder of a training that is gone on with.
        """
        run, budget = (
            None if partial is None else marked(partial, self.store),
            self.recording.budget,
        )
        used = (0.0, 0) if run is None else spent(submissions_of(self.store, run))
        limits = (budget.seconds, budget.executions)
        first, second = (None if m is None else m - u for m, u in zip(limits, used, strict=True))
        return first, second

    def facts(self) -> dict[str, Any]:
        """What an interrupted training must have in common with the one that goes on."""
        kept = {"calibration": self.recording.calibration, "fresh": self.recording.fresh}
        return {"ledger": kept}


@dataclass(frozen=True)
class Purchase:
    """A training's run in a ledger, while it is worked on.

    Attributes:
        ledger: Where.
        run: The record.
        machine: With the circuits that were compiled at the beginning, not recorded.
    """

    ledger: Ledger
    run: JobRun
    machine: Backend

    @contextmanager
    def recorded(self) -> Iterator[Backend]:
        """The machine behind the ledger; batches and sessions are closed at the end of the block.

        Raises:
            JobFailedError: A job ended without results; the run has failed then.
        """
        recording = replace(self.ledger.recording, run=self.run.id)
        backend = recorded_backend(self.machine, self.ledger.store, recording)
        try:
            yield backend
        except JobFailedError as failed:
            with suppress(RunStateError):  # a run that was cancelled meanwhile stays cancelled
                close_run(self.ledger.store, self.run, "failed", error=str(failed))
            raise
        finally:
            cast(Recorded, backend.device).worker.close(self.run.id)

    def check_step(self, step: int, pubs: Sequence[EstimatorPub]) -> None:
        """Refuse a step that the budget does not pay for, before any of its jobs is sent.

        Raises:
            BudgetError: It would cost more than is left.
        """
        if not self.ledger.limited:
            return
        budget, store = self.ledger.recording.budget, self.ledger.store
        context = row_context(self.machine.device_description(), self.ledger.recording)
        needed = Forecaster(store, self.machine, context).add([Call(tuple(pubs), f"step {step}")])
        check_left(budget, needed, store, self.run, f"step {step}")

    def mark(self, folder: Path) -> None:
        """Note beside the checkpoints which run of which ledger they belong to."""
        write_json(folder / BOUGHT_FOR, {"place": self.ledger.store.place, "run": self.run.id})

    def finish(self, backend: Backend, history: Mapping[str, Sequence[float]]) -> dict[str, Any]:
        """Write into the ledger that the training is done; what its record says of the ledger.

        What other runs had bought is counted since the checkpoint that was gone on from.
        """
        recorded, store = cast(Recorded, backend.device), self.ledger.store
        recorded.worker.close(self.run.id)
        costs = costs_of(store, self.run, recorded.asked)
        own = submissions_of(store, self.run)
        bought = sum(s.rows for s in own if s.state is State.ANSWERED)
        costs["rows"] = bought + costs["rows_saved"]
        steps, loss = self.run.request["options"]["steps"], history["loss"][-1]
        result = {"steps": steps, "loss": loss, "costs": costs}
        try:
            close_run(store, self.run, "done", result=result)
        except RunStateError:  # killed between this line and the end of its folder
            if load_run(store, self.run.id).state != "done":
                raise
        return {"ledger": {"place": store.place, "run": self.run.id, "costs": costs}}


def begin(
    subject: Subject,
    out: Path,
    backend: Backend,
    gradient: SampledGradient,
    ledger: Ledger,
    plan: TrainingPlan,
) -> JobRun:
    """Write down a training; nothing is sent.

    Raises:
        BudgetError: One step costs more than the budget, or than the account has left.
        InputError: The ledger holds another training of the same folder that is not done.
    """
    store, recording = ledger.store, ledger.recording
    _refuse_another(store, out)
    if (first := plan.next_step) is not None:
        check_left(recording.budget, first, store, None, "a step")
        check_allowance(service_for(backend, store, recording), first)
    circuits = None
    if backend.compiler is not None:
        circuits = store.blobs.put(compiled_bytes(backend.compiler, plan.sources))
    asked = {"mode": recording.mode, "budget": asdict(recording.budget)}
    request = {
        "format": TRAINING,
        "version": VERSION,
        "run": str(out.resolve()),
        "from": subject.facts().get("from"),
        "backend": dict(reopening(backend)),
        "options": {"steps": subject.options.steps, **asked, **ledger.facts()["ledger"]},
        "training": asdict(subject.options),
        "gradient": asdict(gradient),
        "circuits": circuits,
        "expected": asdict(plan.total),
        "command": ledger.command,
    }
    return new_run(store, request)


def go_on(run: JobRun, ledger: Ledger, plan: TrainingPlan | None) -> None:
    """Refuse to go on with a run that has ended, or that the budget does not take any further.

    Raises:
        JobFailedError: It has failed, or was cancelled.
        BudgetError: The next step would cost more than is left.
    """
    if run.state in ("failed", "cancelled"):
        why = f": {run.error}" if run.error else ""
        raise JobFailedError(
            f"run {run.id} is {run.state}{why} (qvlm jobs retry {run.id} takes it up again)"
        )
    if plan is not None and (step := plan.next_step) is not None:
        check_left(ledger.recording.budget, step, ledger.store, run, "the next step")


def marked(folder: Path, store: JobStore) -> JobRun | None:
    """The run that a partial folder's rows are bought for; None where it has begun none.

    Raises:
        InputError: The ledger does not have it.
        LedgerError: The note is damaged.
    """
    note = folder / BOUGHT_FOR
    if not note.is_file():
        return None
    try:
        about = json.loads(note.read_text(encoding="utf-8"))
        place, identifier = str(about["place"]), str(about["run"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LedgerError(f"{note} is damaged: it names no run of a ledger") from error
    found = [run for run in list_runs(store) if run.id == identifier]
    if not found:
        raise InputError(
            f"the training at {folder} was started with the ledger {place}, as its run "
            f"{identifier}; the ledger {store.place} does not have it"
        )
    return found[0]


def give_up(folder: Path, store: JobStore) -> None:
    """End the run of a training that is started over.

    Raises:
        InputError: It has jobs under way.
    """
    run = marked(folder, store)
    if run is None or run.state != "waiting":
        return
    if living_for(store, run)[0]:
        raise InputError(
            f"run {run.id} of the training at {folder} has jobs under way: go on with --resume, or "
            f"stop it with qvlm jobs cancel {run.id}"
        )
    close_run(store, run, "cancelled", error="its training was started over")


def opened(run: JobRun, backend: Backend, ledger: Ledger) -> Purchase:
    """A run with the machine that it buys from."""
    machine = with_circuits(backend, ledger.store, run.request.get("circuits"))
    return Purchase(ledger, run, machine)


def _refuse_another(store: JobStore, out: Path) -> None:
    """One folder is trained by one run; a run that never bought anything is given up."""
    for run in list_runs(store):
        about = run.request
        if (about.get("format"), about.get("run")) != (TRAINING, str(out.resolve())):
            continue
        if run.state != "waiting":
            continue
        if submissions_of(store, run):
            raise InputError(
                f"the ledger {store.place} is busy with another training of {out}, run {run.id}: "
                f"choose another --out, or stop it with qvlm jobs cancel {run.id}"
            )
        close_run(store, run, "cancelled", error="it was begun and never bought anything")
