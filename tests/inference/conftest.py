import pytest

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.jobs import JobStore
from tests.inference.small import end_processes


@pytest.fixture
def store(tmp_path):
    made = JobStore(tmp_path / "jobs")
    yield made
    end_processes(made)
    made.close()


@pytest.fixture
def noisy():
    return open_backend("noisy:fake_manila", shots=200, seed=1)
