"""Stopping a run: nothing more is sent for it, and what only it waits for is cancelled."""

from __future__ import annotations

import time
from collections.abc import Sequence

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.service import (
    AnotherAccountError,
    NoSuchJobError,
    UnreachableError,
)
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.jobs import JobStore, State
from qvlm_qiskit.jobs.ledger.runs import JobRun, close_run, living_for, load_run, withdraw
from qvlm_qiskit.jobs.recording import Recording, with_circuits, worker_for
from qvlm_qiskit.jobs.worker.reconcile import check_account
from qvlm_qiskit.jobs.worker.worker import Worker

CANCEL_SECONDS = 10.0
"""How long a cancellation waits for the server to say that its jobs have stopped."""


def cancel_evaluation(store: JobStore, identifier: str) -> tuple[JobRun, list[str]]:
    """Stop a run: what was not sent is withdrawn, the server is asked to stop the rest.

    Nothing is sent for the run any more once this has begun, also by a process that works on it.
    Jobs that other waiting runs have met as well run on, see `jobs.ledger.runs.living_for`.

    Returns:
        The run, and the ids of submissions that could not be stopped: of unknown fate, held by
        another worker, or the server did not answer. They are followed by the next call.

    Raises:
        InputError: The run is done.
    """
    found = load_run(store, identifier)
    if found.state == "done":
        raise InputError(f"run {found.id} is done: there is nothing to cancel")
    # First, so that what is found below is all that there will ever be.
    found = close_run(store, found, "cancelled", error="cancelled by the user")
    living, shared = living_for(store, found)
    if not living and not shared:
        return found, []
    request = found.request  # an evaluation's, or a training's
    backend = with_circuits(open_backend(**request["backend"]), store, request.get("circuits"))
    worker = worker_for(backend, store, Recording(run=found.id, mode=request["options"]["mode"]))
    for name, runs in shared.items():
        store.note(name, f"not cancelled: {', '.join(runs)} waits for it", worker.owner)
    left = _stopped(worker, [submission.id for submission in living])
    worker.close(found.id)  # jobs that it has already are finished
    return found, left


def _stopped(worker: Worker, names: Sequence[str]) -> list[str]:
    """Stop submissions, waiting for those that are being sent; the ids of what could not be."""
    asked: set[str] = set()
    deadline, pause = time.monotonic() + CANCEL_SECONDS, 0.1
    while True:
        asked |= {name for name in names if name not in asked and _asked_to_stop(worker, name)}
        followed = worker.finish(sorted(asked), seconds=0.0)
        ended = {s.id for s in followed if s.state.final}
        left = [name for name in names if name not in ended]
        if not left or time.monotonic() > deadline:
            return left
        worker.sleep(pause)
        pause *= 1.5


def _asked_to_stop(worker: Worker, identifier: str) -> bool:
    """Withdraw one submission, or ask the server to cancel it; False where neither can be done."""
    submission = worker.store.submission(identifier)
    if submission.state.final:
        return True
    if submission.state in (State.POSTING, State.UNKNOWN):
        # found by its tag it has a server job, which can be cancelled
        (submission,) = worker.finish([identifier], seconds=0.0)
    if submission.state is State.INTENDED:
        return withdraw(worker.store, submission, worker.owner)
    if submission.server_id is None:
        return False
    try:
        check_account(worker, submission)
        worker.service.cancel(submission.server_id)
    except (UnreachableError, NoSuchJobError, AnotherAccountError) as ex:
        worker.store.note(identifier, f"not cancelled: {ex}", worker.owner)
        return False
    return True
