"""Small evaluations that several tests submit."""

import json
import os
import signal
from contextlib import suppress

from qvlm_qiskit.inference import (
    SubmitOptions,
    submit_evaluation,
)
from qvlm_qiskit.jobs.ledger.runs import submissions_of
from qvlm_qiskit.jobs.ledger.states import State

SMALL = SubmitOptions(limit=2)


def process_ids(store):
    for record in (store.folder / "local").glob("*/process"):
        yield json.loads(record.read_bytes())["id"]


def end_processes(store):
    for process in process_ids(store):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def texts(run):
    return tuple(one["answer"] for one in run.result["questions"])


def started(tiny_run, noisy, store):
    """A detached run whose one local job runs in a process of its own."""
    begun = submit_evaluation(tiny_run, noisy, store, SMALL, detach=True)
    assert begun.state == "waiting"
    (job,) = submissions_of(store, begun)
    assert job.state in (State.QUEUED, State.RUNNING)
    return begun, job
