"""The process of a detached local job."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import JobFailedError, JobPending
from qvlm_qiskit.jobs import JobStore, Recording, State, recorded_backend
from tests.jobs.questions import OBSERVABLES, bell, column


def test_a_detached_local_job_outlives_the_call_and_is_taken_up(store):
    backend = open_backend("aer", shots=100, seed=2)
    recorded = recorded_backend(backend, store, Recording(detach=True))
    pub = (bell(), OBSERVABLES, column(0.3))
    with pytest.raises(JobPending) as pending:
        recorded.estimator().run([pub]).result()
    (submission,) = store.find()
    assert pending.value.submissions == (submission.id,)
    folder = Path(store.folder) / "local" / submission.tag
    process = json.loads((folder / "process").read_text())["id"]
    assert os.getpgid(process) != os.getpgrp()
    end = time.monotonic() + 60
    while not (folder / "result").exists() and time.monotonic() < end:
        time.sleep(0.05)
    again = recorded_backend(backend, store, Recording(detach=True))
    found = again.estimator().run([pub]).result()[0].data.evs
    assert store.find()[0].state is State.ANSWERED and store.count_jobs() == 1
    inline = JobStore(Path(store.folder) / "inline")
    here = recorded_backend(backend, inline).estimator().run([pub]).result()[0].data.evs
    np.testing.assert_array_equal(found, here)
    inline.close()


def test_a_cancelled_local_job_is_cancelled_and_not_failed(store):
    backend = open_backend("aer", shots=10**8, seed=2)
    recorded = recorded_backend(backend, store, Recording(detach=True))
    with pytest.raises(JobPending):
        recorded.estimator().run([(bell(), OBSERVABLES, column(*np.arange(500.0)))])
    (submission,) = store.find()
    recorded.device.worker.service.cancel(submission.server_id)
    with pytest.raises(JobFailedError, match="is cancelled: cancelled by the user"):
        recorded.estimator().run([(bell(), OBSERVABLES, column(*np.arange(500.0)))])
    assert store.find()[0].state is State.CANCELLED
