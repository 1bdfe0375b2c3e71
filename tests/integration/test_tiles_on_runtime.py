"""Rows on tiles, bought from the loopback service by the unmodified Runtime client."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.preflight.rehearse import exact_estimator, rehearse
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.jobs import JobStore, Recording, State, recorded_backend
from qvlm_qiskit.jobs.costs.forecast import forecast
from qvlm_qiskit.jobs.recording import row_context
from qvlm_qiskit.jobs.verify import verify
from tests.integration.test_jobs_on_runtime import PATIENCE, SERVICE
from tests.runtime_server import RuntimeServer

DEVICE = "fake_kolkata"
OBSERVABLES = [["ZI"], ["IZ"], ["XX"]]
VALUES = np.random.default_rng(4).uniform(-3, 3, (11, 4))


def layered():
    circuit = QuantumCircuit(2)
    angles = ParameterVector("t", 4)
    for layer in range(2):
        circuit.ry(angles[2 * layer], 0)
        circuit.ry(angles[2 * layer + 1], 1)
        circuit.cx(0, 1)
    return circuit


CIRCUIT = layered()


@pytest.fixture(scope="module")
def server():
    with RuntimeServer([DEVICE], seed=1) as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment().items():
            patch.setenv(name, value)
        yield running


@pytest.fixture
def store(tmp_path):
    ledger = JobStore(tmp_path / "jobs")
    yield ledger
    ledger.close()


def opened(mitigation="none", shots=2000, tiles=4):
    return open_backend(f"ibm:{DEVICE}", shots=shots, seed=1, mitigation=mitigation, tiles=tiles)


def estimator_on(backend, store):
    recording = Recording(run="r-1", policy=PATIENCE, service={**SERVICE, "post_seconds": 60.0})
    return recorded_backend(backend, store, recording).estimator()


def asked(estimator, values):
    return estimator.run([(CIRCUIT, OBSERVABLES, values)]).result()[0]


@pytest.mark.parametrize("mitigation", ["none", "readout", "resilience-1"])
def test_a_job_is_packed_what_was_planned_is_executed_and_answers_are_kept_by_row(
    mitigation, server, store
):
    backend = opened(mitigation)
    planned = backend.preflight(
        {"c": (CIRCUIT, OBSERVABLES)}, len(VALUES), mitigations=[mitigation]
    ).levels[0]
    before = (
        opened(mitigation, tiles="none")
        .preflight({"c": (CIRCUIT, OBSERVABLES)}, 11, mitigations=[mitigation])
        .levels[0]
    )
    own = planned.executions - planned.calibration_executions
    assert own == 3 / 11 * (before.executions - before.calibration_executions)
    result = asked(estimator_on(backend, store), VALUES)
    submissions = store.find()
    assert {one.state for one in submissions} == {State.ANSWERED}
    assert len(submissions) == planned.jobs
    assert sum(one.executions for one in submissions) == planned.executions
    done = [server.jobs.tagged(one.tag)[0] for one in submissions]
    assert sum(job.executions for job in done) == planned.executions
    last = max(submissions, key=lambda one: one.rows)
    package = Package.from_bytes(store.blobs.get(last.package))
    assert (len(package.pubs), len(package.bundles), last.rows) == (4, 1, 11)
    exact = open_backend("statevector").estimator().run([(CIRCUIT, OBSERVABLES, VALUES)])
    found = result.data.evs - exact.result()[0].data.evs
    assert np.sqrt(np.mean(found**2)) < 0.06
    assert verify(store) == sum(one.rows for one in submissions)


def test_what_was_bought_on_tiles_is_found_again_to_the_bit(server, store):
    first = asked(estimator_on(opened(shots=100), store), VALUES)
    again = asked(estimator_on(opened(shots=100), store), VALUES)
    np.testing.assert_array_equal(first.data.evs, again.data.evs)
    np.testing.assert_array_equal(first.data.stds, again.data.stds)
    assert len(store.find()) == 1
    assert again.metadata["record"]["rows_from_ledger"] == 11


def test_rows_are_found_on_their_tiles_whatever_else_is_asked_and_however_many_tiles_there_are(
    server, store
):
    part = asked(estimator_on(opened(shots=100), store), VALUES[:5])
    every = asked(estimator_on(opened(shots=100), store), VALUES)
    np.testing.assert_array_equal(every.data.evs[:, :5], part.data.evs)
    assert every.metadata["record"]["rows_from_ledger"] == 5
    backend = opened(shots=100, tiles=2)
    calls = rehearse({"c": (CIRCUIT, OBSERVABLES)}, 1, exact_estimator())
    pub = calls[0].pubs[0]
    own = EstimatorPub.coerce((pub.circuit, pub.observables, VALUES[::-1]))
    context = row_context(backend.device_description(), Recording())
    assert forecast(store, backend, [Call((own,))], context).known == 11
    fewer = asked(estimator_on(backend, store), VALUES[::-1])
    np.testing.assert_array_equal(fewer.data.evs, every.data.evs[:, ::-1])
    assert len(store.find()) == 2
