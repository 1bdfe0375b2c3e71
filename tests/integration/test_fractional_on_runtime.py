"""Gates of any angle, bought from the loopback service by the unmodified Runtime client."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit_ibm_runtime.utils.utils import is_valid_rzz_pub

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.errors import InputError, MitigationError
from qvlm_qiskit.jobs import JobStore, Recording, State, recorded_backend
from qvlm_qiskit.jobs.verify import verify
from tests.backends.conftest import exact_values
from tests.integration.test_jobs_on_runtime import PATIENCE, SERVICE
from tests.runtime_server import RuntimeServer

OBSERVABLES = [["ZI"], ["XX"]]
VALUES = np.random.default_rng(4).uniform(-4 * np.pi, 4 * np.pi, (6, 4))


def interacting():
    circuit = QuantumCircuit(2)
    angles = ParameterVector("t", 4)
    for layer in range(2):
        circuit.ry(angles[2 * layer], [0, 1])
        circuit.rzz(angles[2 * layer + 1], 0, 1)
    circuit.ry(0.4, [0, 1])
    return circuit


@pytest.fixture(scope="module")
def server():
    machines = ["fake_fractional", "fake_manila"]
    with RuntimeServer(machines, seed=1) as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment().items():
            patch.setenv(name, value)
        yield running


@pytest.fixture
def store(tmp_path):
    ledger = JobStore(tmp_path / "jobs")
    yield ledger
    ledger.close()


@pytest.mark.parametrize("mitigation", ["none", "readout"])
def test_angles_of_any_size_are_sent_legally_and_bought_once(mitigation, server, store):
    backend = open_backend(
        "ibm:fake_fractional", shots=2000, seed=1, mitigation=mitigation, fractional=True
    )
    recording = Recording(run="r-1", policy=PATIENCE, service={**SERVICE, "post_seconds": 60.0})
    estimator = recorded_backend(backend, store, recording).estimator()
    pub = interacting(), OBSERVABLES, VALUES
    found = estimator.run([pub]).result()[0]
    assert np.abs(found.data.evs - exact_values(*pub)).max() < 0.2
    bought = store.find()
    assert {one.state for one in bought} == {State.ANSWERED}
    seen = 0
    for one in bought:
        for sent in Package.from_bytes(store.blobs.get(one.package)).pubs:
            angles = [item for item in sent.circuit.data if item.name == "rzz"]
            seen += len(angles) * sent.parameter_values.size
            assert is_valid_rzz_pub(sent) == ""
            assert not any(item.name == "cz" for item in sent.circuit.data)
    assert seen == 2 * len(VALUES)
    # the same rows again, two of them alone
    again = estimator.run([(interacting(), OBSERVABLES, VALUES[2:4])]).result()[0]
    np.testing.assert_array_equal(again.data.evs, found.data.evs[:, 2:4])
    assert len(store.find()) == len(bought)
    assert verify(store) == sum(one.rows for one in bought)


def test_what_does_not_go_is_refused_before_anything_is_sent(server):
    before = len(server.jobs)
    with pytest.raises(InputError, match="ibm:fake_manila has no fractional gates"):
        open_backend("ibm:fake_manila", shots=100, fractional=True)
    for mitigation in ("twirling", "zne", "resilience-2"):
        with pytest.raises(MitigationError, match=f"{mitigation!r} needs two-qubit gates"):
            open_backend("ibm:fake_fractional", mitigation=mitigation, fractional=True)
    plain = open_backend("ibm:fake_fractional", shots=100, seed=1)
    assert "rzz" not in plain.compile(interacting(), "ZZ").circuit.count_ops()
    assert len(server.jobs) == before
