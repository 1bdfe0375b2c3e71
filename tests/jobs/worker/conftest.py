"""What the tests of the worker share as fixtures."""

import time

import pytest

from qvlm_qiskit.jobs import State, Worker
from tests.jobs.conftest import PATIENCE


@pytest.fixture
def intended(buy, store):
    """A submission that is recorded and not sent, for a service."""

    def make(service, value=0.1, **options):
        class Unwilling(type(service)):
            def submit(self, *args, **kwargs):
                raise KeyboardInterrupt

        stopped = Unwilling.__new__(Unwilling)
        stopped.__dict__ = dict(service.__dict__)
        known = {s.id for s in store.find()}
        with pytest.raises(KeyboardInterrupt):
            buy(stopped, [value], **options)
        (made,) = [s for s in store.find() if s.id not in known]
        worker = Worker(store, service, policy=PATIENCE)
        assert worker.advance(made.id).state is State.UNKNOWN
        while worker.advance(made.id).state is State.UNKNOWN:
            time.sleep(0.02)
        return store.submission(made.id)

    return make
