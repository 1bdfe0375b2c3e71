"""The estimator in front of the ledger: on real devices of this computer, and on a counting one."""

import subprocess
import sys
import time

import numpy as np
import pytest
from qiskit.primitives import StatevectorEstimator

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import BudgetError, JobError, JobPending, LedgerError
from qvlm_qiskit.jobs import (
    Budget,
    JobStore,
    Recorded,
    Recording,
    State,
    Worker,
    recorded_backend,
)
from qvlm_qiskit.jobs.ledger.runs import retry, withdraw
from qvlm_qiskit.jobs.services.local import LocalJobs
from qvlm_qiskit.jobs.verify import verify
from tests.jobs.conftest import PATIENCE
from tests.jobs.questions import OBSERVABLES, bell, column
from tests.jobs.unreliable import Unreliable


class Counting(StatevectorEstimator):
    """Remembers the shapes of the pubs of every job."""

    def __init__(self):
        super().__init__(seed=1)
        self.jobs_run = []

    def run(self, pubs, *, precision=None):
        pubs = list(pubs)
        self.jobs_run.append([pub.shape for pub in pubs])
        return super().run(pubs, precision=precision)


@pytest.fixture
def inner():
    return Counting()


@pytest.fixture
def estimator(inner, store, tmp_path):
    worker = Worker(store, LocalJobs(inner, "counting", tmp_path / "spool"), policy=PATIENCE)
    return Recorded(inner, store, {"name": "counting"}, worker)


def test_known_rows_are_served_and_only_new_ones_are_sent(estimator, inner, store):
    first = estimator.run([(bell(), OBSERVABLES, column(0.1, 0.2))], precision=0.1).result()[0]
    assert inner.jobs_run == [[(2, 2)]]
    pubs = [
        (bell(), OBSERVABLES, column(0.2, 0.3, 0.1, 0.3)),
        (bell(), [["ZZ"]], column(0.1)),
        (bell(0.5), OBSERVABLES, column(0.1)),
    ]
    second = estimator.run(pubs, precision=0.1).result()
    assert inner.jobs_run[1:] == [[(2, 1), (1, 1), (2, 1)]]
    np.testing.assert_array_equal(second[0].data.evs[:, [2, 0]], first.data.evs)
    np.testing.assert_array_equal(second[0].data.evs[:, 1], second[0].data.evs[:, 3])
    records = [result.metadata["record"] for result in second]
    assert [r["source"] for r in records] == ["both", "device", "device"]
    assert [(r["rows"], r["rows_from_ledger"]) for r in records] == [(3, 2), (1, 0), (1, 0)]
    third = estimator.run(pubs, precision=0.1).result()
    assert len(inner.jobs_run) == store.count_jobs() == 2
    for one, two in zip(second, third, strict=True):
        assert one.data.evs.tobytes() == two.data.evs.tobytes()
        assert one.data.stds.tobytes() == two.data.stds.tobytes()
        assert two.metadata["record"]["source"] == "ledger"
    assert verify(store) == store.count_rows() == 5


def test_precisions_are_jobs_of_their_own(estimator, inner):
    pubs = [(bell(), "ZI", [0.1], precision) for precision in (0.1, 0.2, 0.1)]
    estimator.run(pubs).result()
    assert inner.jobs_run == [[(1, 1)], [(1, 1)]]


def test_an_empty_pub_and_no_pub_buy_nothing(estimator, inner):
    assert list(estimator.run([]).result()) == []
    empty = estimator.run([(bell(), "ZI", np.empty((0, 1)))]).result()[0]
    assert empty.data.evs.shape == empty.data.stds.shape == (0,)
    assert inner.jobs_run == []


def test_costs_are_shared_by_rows(store, tmp_path):
    backend = recorded_backend(open_backend("aer", shots=100, seed=1), store)
    pub = (bell(), [["ZI"]], column(0.1, 0.2, 0.3, 0.4))
    whole = backend.estimator().run([pub]).result()[0].metadata
    part = backend.estimator().run([(bell(), [["ZI"]], column(0.2))]).result()[0].metadata
    assert whole["executions"] == 400 and part["executions"] == 100
    more = (bell(), [["ZI"]], column(0.1, 0.4, 0.5))
    mixed = backend.estimator().run([more]).result()[0].metadata
    assert mixed["executions"] == 300 and mixed["record"]["source"] == "both"


@pytest.mark.parametrize(
    "name",
    [
        "noisy:fake_manila",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("aer", "fake_manila")),
    ],
)
def test_a_replay_is_bit_identical_in_this_process_and_the_next(name, tmp_path):
    def run(store):
        backend = recorded_backend(open_backend(name, shots=200, seed=3), store)
        pub = (bell(), OBSERVABLES, column(0.3, 0.5, 0.3))
        return backend.estimator().run([pub]).result()[0].data

    store = JobStore(tmp_path)
    first = run(store)
    assert first.evs.shape == (2, 3) and np.all(first.stds > 0)
    again = run(store)
    store.close()
    code = f"""
import numpy as np
from tests.jobs.questions import OBSERVABLES, bell, column
from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.jobs import JobStore, recorded_backend
store = JobStore({str(tmp_path)!r}, create=False)
backend = recorded_backend(open_backend({name!r}, shots=200, seed=3), store)
data = backend.estimator().run([(bell(), OBSERVABLES, column(0.3, 0.5, 0.3))]).result()[0].data
print(data.evs.tobytes().hex(), data.stds.tobytes().hex(), store.count_jobs())
"""
    if name == "aer":
        other = subprocess.run(
            [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True
        )
        assert other.stdout.split() == [first.evs.tobytes().hex(), first.stds.tobytes().hex(), "1"]
    assert again.evs.tobytes() == first.evs.tobytes()
    assert again.stds.tobytes() == first.stds.tobytes()
    store = JobStore(tmp_path)
    assert store.count_jobs() == 1 and store.count_rows() == 2 and verify(store) == 2
    store.close()


@pytest.mark.parametrize(
    "mitigation", ["readout", pytest.param("readout+zne", marks=pytest.mark.slow)]
)
def test_a_run_on_tiles_that_is_gone_on_with_gets_the_same_bits_and_buys_nothing_twice(
    mitigation, tmp_path
):
    """Stopped behind every job, against one that is never stopped."""

    def run(folder, detach):
        store = JobStore(folder)
        options = {"shots": 200, "seed": 3, "mitigation": mitigation, "tiles": 2}
        backend = recorded_backend(
            open_backend("noisy:fake_manila", **options), store, Recording(detach=detach)
        )
        pub = (bell(), OBSERVABLES, column(0.3, 0.5, 0.7, 0.9, 1.1))
        try:
            data = backend.estimator().run([pub]).result()[0].data
            return data.evs.tobytes() + data.stds.tobytes(), store.count_rows(), store.count_jobs()
        finally:
            store.close()

    whole = run(tmp_path / "whole", detach=False)
    for _ in range(500):
        try:
            found = run(tmp_path / "stopped", detach=True)
            break
        except JobPending:
            time.sleep(0.2)
    assert found == whole
    assert run(tmp_path / "stopped", detach=False) == whole


@pytest.mark.parametrize("mitigation", ["zne", "readout+zne", "cdr"])
def test_mitigation_is_done_again_from_the_same_raw_values(mitigation, store):
    def run(seed_of_evaluation):
        backend = open_backend("noisy:fake_manila", shots=300, seed=1, mitigation=mitigation)
        backend = recorded_backend(backend, store)
        pub = (bell(), OBSERVABLES, column(0.3, 0.5))
        return backend.estimator().run([pub]).result()[0]

    first = run(1)
    jobs, rows = store.count_jobs(), store.count_rows()
    second = run(2)
    assert (store.count_jobs(), store.count_rows()) == (jobs, rows) and rows >= 2
    assert second.data.evs.tobytes() == first.data.evs.tobytes()
    assert second.data.stds.tobytes() == first.data.stds.tobytes()
    assert verify(store) == rows


def test_raw_values_are_shared_by_mitigations(store):
    def run(mitigation):
        backend = open_backend("noisy:fake_manila", shots=300, seed=1, mitigation=mitigation)
        recorded_backend(backend, store).estimator().run([(bell(), ["ZI"], [0.3])]).result()

    run("zne")
    paid = store.count_rows()
    run("none")
    assert store.count_rows() == paid


def test_what_was_withdrawn_is_not_sent_and_its_rows_are_free(buy, store):
    service = Unreliable()
    with pytest.raises(BudgetError):
        buy(service, [0.1, 0.2], run="r-1", budget=Budget(executions=1))
    (waiting,) = store.find()
    assert withdraw(store, waiting, "user")
    assert not withdraw(store, store.submission(waiting.id), "user")
    assert service.posts == []
    assert store.find_rows([row.key for row in store.rows_of(waiting.id)]) == {}
    np.testing.assert_allclose(buy(service, [0.2, 0.3], run="r-2"), np.cos([0.2, 0.3]))
    assert [s.run for s in store.find() if s.state is State.ANSWERED] == ["r-2"]
    with pytest.raises(JobError, match="not attempted again"):  # another has one of its rows
        retry(store, waiting)
    np.testing.assert_allclose(buy(service, [0.1, 0.2]), np.cos([0.1, 0.2]))
    assert [s.rows for s in store.find() if s.state is State.ANSWERED] == [2, 1]


def test_a_missing_answer_is_said_at_the_next_read(buy, store):
    from qvlm_qiskit.jobs.ledger import schema

    service = Unreliable()
    buy(service, [0.1])
    with store.transaction() as connection:
        connection.execute(schema.answers.delete())
    with pytest.raises(LedgerError, match=r"is missing; .*Restore a copy.*--fresh"):
        buy(service, [0.1])
    assert len(service.posts) == 1
