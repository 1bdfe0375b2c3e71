"""What calls would make the ledger buy."""

from dataclasses import replace

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
from tests.jobs.executions import StatesExecutions


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


@pytest.mark.parametrize(
    "mitigation", ["pec(samples=4)", "pea(samples=4,randomizations=2)"], ids=["pec", "pea"]
)
def test_random_circuits_are_counted_before_they_are_drawn(store, mitigation):
    circuit = QuantumCircuit(2)
    circuit.ry(Parameter("a"), 0)
    circuit.cx(0, 1)
    circuit.ry(Parameter("b"), 1)
    options = {"shots": 50, "seed": 1, "mitigation": mitigation}
    backend = open_backend("noisy:fake_manila", **options)
    pub = EstimatorPub.coerce((circuit, "ZZ", [[0.5, 0.1], [0.6, 0.2]]), backend.default_precision)
    context = row_context(backend.device_description(), Recording())
    found = forecast(store, backend, [Call((pub,))], context)
    recorded = recorded_backend(backend, store)
    recorded.estimator().run([pub]).result()
    assert store.count_rows() == found.rows
    assert (
        len(store.find()) == found.jobs == 2 + (mitigation != "pec(samples=4)")
    )  # learning is another


def test_a_forecast_adds_up_the_seconds_of_the_jobs(circuit):
    """Two jobs of 100 shots: 2 s each, and for every shot 2 µs after a pause of 250 µs."""
    device = StatesExecutions()
    timed = replace(open_backend("statevector"), device=device, rep_delay_seconds=250e-6)
    calls = [Call((EstimatorPub.coerce((circuit, "Z", value), 0.1),)) for value in ([0.5], [0.6])]
    found = forecast(None, timed, calls, {})
    assert (found.jobs, found.executions) == (2, 200)
    assert found.seconds == pytest.approx(2 * (2 + 100 * 252e-6))
    untimed = replace(timed, rep_delay_seconds=None)
    assert forecast(None, untimed, calls, {}).seconds is None
