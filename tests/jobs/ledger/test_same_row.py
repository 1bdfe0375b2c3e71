"""Rows that differ by rounding only: which row answers them, and that it stays that one."""

import threading

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.basics.same_row import GRID, SAME_ROW
from qvlm_qiskit.errors import JobFailedError
from qvlm_qiskit.jobs import JobStore, recorded_backend
from qvlm_qiskit.jobs.ledger.rows import split
from qvlm_qiskit.jobs.ledger.same_row import _remember, remembered, snap
from tests.jobs.conftest import sqlite_or_postgresql, values_of
from tests.jobs.unreliable import Unreliable

CONTEXT = {"machine": Unreliable().machine}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def place(request, tmp_path):
    return sqlite_or_postgresql(request, tmp_path)


def snapped(store, circuit, numbers, tolerance=SAME_ROW, precision=0.1, **options):
    """The values that are looked up for some, and the keys of both."""
    pubs = [EstimatorPub.coerce((circuit, "Z", values_of(numbers), precision))]
    rows = split(pubs, CONTEXT)
    found = snap(store, rows, pubs, tolerance, **options)
    return [float(row.values[0]) for row in found], [r.key for r in rows], [r.key for r in found]


def test_a_call_that_is_made_again_gets_the_same_values(buy, store):
    """Although another run has bought a nearer row meanwhile."""
    service = Unreliable()
    buy(service, [0.5], run="r-1")
    first = buy(service, [0.5 + 5e-7], run="r-2")
    buy(service, [0.5 + 8e-7], run="r-3")
    assert len(service.posts) == 2
    again = buy(service, [0.5 + 5e-7], run="r-2")
    np.testing.assert_array_equal(again, first)
    np.testing.assert_array_equal(first, np.cos([0.5]))


def test_a_row_stays_answered_by_another_when_it_is_bought_itself(buy, store, circuit):
    service = Unreliable()
    buy(service, [0.5])
    near = [0.5 + 5e-7]
    assert snapped(store, circuit, near)[0] == [0.5]
    assert snapped(store, circuit, near, tolerance=0.0)[0] == near
    pub = EstimatorPub.coerce((circuit, "Z", values_of(near), 0.1))
    with store.transaction() as connection:  # as a run with same_row=0 would
        connection.exec_driver_sql(
            "insert into rows (key, submission, pub, position, kind, parameters) "
            f"select '{split([pub], CONTEXT)[0].key}', submission, 0, 1, kind, parameters from rows"
        )
    assert snapped(store, circuit, near)[0] == [0.5]
    # Another tolerance holds for the answers that were chosen under a larger one, too.
    assert snapped(store, circuit, near, tolerance=1e-7)[0] == near


def test_only_looking_writes_nothing(buy, store, circuit):
    buy(Unreliable(), [0.5])
    found, asked, _ = snapped(store, circuit, [0.5 + 5e-7], remember=False)
    assert found == [0.5]
    assert remembered(store, asked) == {}


def test_the_first_of_many_workers_decides(store, place):
    stores = [JobStore(*place) for _ in range(4)]
    keys = [f"{number:064x}" for number in range(600)]
    start, found = threading.Barrier(4), [{} for _ in stores]

    def choose(number):
        start.wait()
        order = keys[::-1] if number % 2 else keys
        for first in range(0, 600, 20):
            part = {key: f"{number:064x}" for key in order[first : first + 20]}
            found[number].update(_remember(stores[number], part))

    threads = [threading.Thread(target=choose, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1] == found[2] == found[3] == remembered(store, keys)
    for each in stores:
        each.close()


@pytest.mark.slow
def test_a_row_that_another_worker_chose_meanwhile_is_used(buy, store, circuit, monkeypatch):
    """It was bought after this worker had read what there is."""
    service = Unreliable()
    buy(service, [0.5])
    near = [0.5 + 5e-7]
    newer = snapped(store, circuit, [0.5 + 8e-7])[1][0]

    def overtaken(which, answers):
        buy(service, [0.5 + 8e-7])
        return original(which, {key: newer for key in answers}) and original(which, answers)

    original = _remember
    monkeypatch.setattr("qvlm_qiskit.jobs.ledger.same_row._remember", overtaken)
    assert snapped(store, circuit, near)[2] == [newer]


def test_a_row_that_was_lost_answers_no_longer(buy, store, circuit):
    service = Unreliable(final="failed")
    buy(Unreliable(), [2.0])
    with pytest.raises(JobFailedError):
        buy(service, [0.5])
    _, near, _ = snapped(store, circuit, [0.5 + 5e-7])
    lost = snapped(store, circuit, [0.5])[1][0]
    _remember(store, {near[0]: lost})  # while it was still waited for
    service.final = "completed"
    np.testing.assert_array_equal(buy(service, [0.5 + 5e-7]), np.cos([0.5 + 5e-7]))
    assert remembered(store, near) == {}


@pytest.mark.parametrize("precision", [None, 0, 0.0])
def test_exact_rows_are_never_replaced(precision, buy, store, circuit):
    buy(Unreliable(), [0.5])
    pub = EstimatorPub.coerce((circuit, "Z", values_of([0.5]), precision))
    with store.transaction() as connection:
        row = split([pub], CONTEXT)[0]
        connection.exec_driver_sql(f"update rows set key='{row.key}', kind='{row.group}'")
    near = [0.5 + 5e-7]
    assert snapped(store, circuit, near, precision=precision)[0] == near


@pytest.mark.parametrize(
    ("name", "options"),
    [("noisy:fake_manila", {"precision": 0}), ("aer", {}), ("statevector", {})],
)
def test_recorded_exact_machines_answer_as_without_a_ledger(name, options, store):
    circuit = QuantumCircuit(1)
    circuit.ry(Parameter("a"), 0)
    backend = open_backend(name, seed=0, **options)
    recorded = recorded_backend(backend, store)
    for value in (0.5, 0.5 + 5e-7):
        pub = (circuit, "Z", [value])
        found = recorded.estimator().run([pub]).result()[0].data.evs
        np.testing.assert_array_equal(found, backend.estimator().run([pub]).result()[0].data.evs)
    assert store.count_jobs() == 2


def test_rounding_to_the_grid_of_a_study_makes_different_rows():
    assert 3 * np.spacing(np.float32(np.pi)) <= SAME_ROW < GRID
