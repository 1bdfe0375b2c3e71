"""What the tests of learned noise share: the loopback service, and a ledger."""

from contextlib import ExitStack

import pytest

from qvlm_qiskit.jobs import JobStore
from tests.integration.dying_learner import DEVICE
from tests.runtime_server import RuntimeServer


def learning_server(**options):
    """A server that is found under its names, until the end."""
    stack = ExitStack()
    started = stack.enter_context(RuntimeServer([DEVICE], seed=1, **options))
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    for name, value in started.environment().items():
        patch.setenv(name, value)
    return stack, started


@pytest.fixture
def server():
    stack, started = learning_server(instant=True)
    with stack:
        yield started


@pytest.fixture
def sampling():
    """A server that simulates what it gets."""
    stack, started = learning_server()
    with stack:
        yield started


@pytest.fixture
def store(tmp_path):
    ledger = JobStore(tmp_path / "jobs")
    yield ledger
    ledger.close()
