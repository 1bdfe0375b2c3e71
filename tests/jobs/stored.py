"""Results that are on disk, for tests that damage them."""

import pytest

from qvlm_qiskit.jobs import State, Worker
from tests.jobs.conftest import PATIENCE


def blob(store, name):
    return store.blobs._path(name)


def stored(buy, store, service):
    """A submission whose result is on disk and not read yet."""
    service_fetch = service.fetch

    def once(server_id):
        raise KeyboardInterrupt

    service.fetch = once
    with pytest.raises(KeyboardInterrupt):
        buy(service, [0.1])
    service.fetch = service_fetch
    (submission,) = store.find()
    worker = Worker(store, service, policy=PATIENCE)
    assert worker.advance(submission.id).state is State.STORED
    return store.submission(submission.id)
