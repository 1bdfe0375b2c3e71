"""What calls would make the ledger buy."""

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.pubs.work import Call
from qvlm_qiskit.jobs import recorded_backend
from qvlm_qiskit.jobs.costs.forecast import forecast
from qvlm_qiskit.jobs.recording import Recording, row_context
from tests.jobs.conftest import sqlite_or_postgresql


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def place(request, tmp_path):
    return sqlite_or_postgresql(request, tmp_path)


def test_a_forecast_knows_what_near_rows_cost(store):
    circuit = QuantumCircuit(1)
    circuit.ry(Parameter("a"), 0)
    backend = open_backend("aer", shots=100, seed=1)
    recorded_backend(backend, store).estimator().run([(circuit, "Z", [0.5])]).result()
    pub = EstimatorPub.coerce((circuit, "Z", [[0.5 + 5e-7], [0.5], [0.6]]), 0.1)
    context = row_context(backend.device_description(), Recording())
    found = forecast(store, backend, [Call((pub,))], context)
    assert (found.rows, found.known) == (2, 1)
    before = store.count_rows()
    recorded_backend(backend, store).estimator().run([pub]).result()
    assert store.count_rows() - before == found.rows - found.known
