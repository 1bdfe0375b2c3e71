"""What the tests of the ledger share as fixtures."""

import pytest

from qvlm_qiskit.jobs import JobStore


@pytest.fixture
def ledger(place):
    store = JobStore(*place)
    yield store
    store.close()
