"""The estimator in front of the ledger: on real devices of this computer, and on a counting one."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives import StatevectorEstimator

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import BudgetError, JobError, JobFailedError, JobPending, LedgerError
from qvlm_qiskit.jobs import Budget, JobStore, Recorded, Recording, State, Worker, recorded_backend
from qvlm_qiskit.jobs.ledger.runs import retry, withdraw
from qvlm_qiskit.jobs.services.local import LocalJobs
from qvlm_qiskit.jobs.verify import verify
from tests.jobs.conftest import PATIENCE
from tests.jobs.unreliable import Unreliable

OBSERVABLES = [["ZI"], ["XX"]]


class Counting(StatevectorEstimator):
    """Remembers the shapes of the pubs of every job."""

    def __init__(self):
        super().__init__(seed=1)
        self.jobs_run = []

    def run(self, pubs, *, precision=None):
        pubs = list(pubs)
        self.jobs_run.append([pub.shape for pub in pubs])
        return super().run(pubs, precision=precision)


def bell(offset=0.0):
    circuit = QuantumCircuit(2)
    circuit.ry(Parameter("a") + offset, 0)
    circuit.cx(0, 1)
    return circuit


def column(*values):
    return np.array(values, dtype=float)[:, None]


@pytest.fixture
def inner():
    return Counting()


@pytest.fixture
def estimator(inner, store, tmp_path):
    worker = Worker(store, LocalJobs(inner, "counting", tmp_path / "spool"), policy=PATIENCE)
    return Recorded(inner, store, {"name": "counting"}, worker)


# What is bought ------------------------------------------------------------------------------


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


# Devices of this computer ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["noisy:fake_manila", "aer", "fake_manila"])
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
from tests.jobs.test_recorded import OBSERVABLES, bell, column
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


def test_a_detached_local_job_outlives_the_call_and_is_taken_up(store):
    backend = open_backend("aer", shots=100, seed=2)
    recorded = recorded_backend(backend, store, Recording(detach=True))
    pub = (bell(), OBSERVABLES, column(0.3))
    with pytest.raises(JobPending) as pending:
        recorded.estimator().run([pub]).result()
    (submission,) = store.find()
    assert pending.value.submissions == (submission.id,)
    folder = Path(store.folder) / "local" / submission.tag
    process = json.loads((folder / "process").read_text())["id"]
    assert os.getpgid(process) != os.getpgrp()
    end = time.monotonic() + 60
    while not (folder / "result").exists() and time.monotonic() < end:
        time.sleep(0.05)
    again = recorded_backend(backend, store, Recording(detach=True))
    found = again.estimator().run([pub]).result()[0].data.evs
    assert store.find()[0].state is State.ANSWERED and store.count_jobs() == 1
    inline = JobStore(Path(store.folder) / "inline")
    here = recorded_backend(backend, inline).estimator().run([pub]).result()[0].data.evs
    np.testing.assert_array_equal(found, here)
    inline.close()


def test_a_cancelled_local_job_is_cancelled_and_not_failed(store):
    backend = open_backend("aer", shots=10**8, seed=2)
    recorded = recorded_backend(backend, store, Recording(detach=True))
    with pytest.raises(JobPending):
        recorded.estimator().run([(bell(), OBSERVABLES, column(*np.arange(500.0)))])
    (submission,) = store.find()
    recorded.device.worker.service.cancel(submission.server_id)
    with pytest.raises(JobFailedError, match="is cancelled: cancelled by the user"):
        recorded.estimator().run([(bell(), OBSERVABLES, column(*np.arange(500.0)))])
    assert store.find()[0].state is State.CANCELLED


# What goes wrong -----------------------------------------------------------------------------


def test_a_failed_job_is_said_and_only_an_explicit_retry_sends_again(buy, store):
    service = Unreliable(final="failed")
    for _ in range(2):
        with pytest.raises(JobFailedError, match="the machine broke"):
            buy(service, [0.1, 0.2])
    assert len(service.posts) == 1
    (failed,) = store.find()
    assert (failed.state, failed.reason_code) == (State.FAILED, 1305)
    new = retry(store, failed)
    service.final = "completed"
    np.testing.assert_allclose(buy(service, [0.1, 0.2]), np.cos([0.1, 0.2]))
    assert [tag for tag, *_ in service.posts] == [failed.tag, new.tag]
    assert store.submission(new.id).previous == failed.id
    assert store.submission(failed.id).state is State.FAILED


def test_rows_of_a_failed_job_and_new_rows_are_not_mixed_up(buy, store):
    broken = Unreliable(final="failed")
    with pytest.raises(JobFailedError):
        buy(broken, [0.1])
    service = Unreliable(server=broken.server)
    with pytest.raises(JobFailedError):
        buy(service, [0.1, 0.2])
    np.testing.assert_allclose(buy(service, [0.2]), np.cos([0.2]))
    assert sum(1 for s in store.find() if s.state is State.ANSWERED) == 1


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


@pytest.mark.parametrize(
    ("budget", "match"),
    [(Budget(executions=99), "executions"), (Budget(seconds=1e-6), "QPU s")],
)
def test_a_refused_budget_sends_nothing_and_changes_nothing(budget, match, buy, store):
    service = Unreliable()
    with pytest.raises(BudgetError, match=match):
        buy(service, [0.1], budget=budget, run="r-1")
    (submission,) = store.find()
    assert (submission.state, submission.posts, submission.server_id) == (State.INTENDED, 0, None)
    assert service.posts == [] and service.server.jobs() == []
    assert [event.state for event in store.history(submission.id)] == ["intended"]
    np.testing.assert_allclose(buy(service, [0.1], run="r-1"), np.cos([0.1]))
    assert store.count_jobs() == 1


def blob(store, name):
    return store.blobs._path(name)


def stored(buy, store, service):
    """A submission whose result is on disk and not read yet."""
    service_fetch = service.fetch

    def once(server_id):
        raise KeyboardInterrupt

    service.fetch = once
    with pytest.raises(KeyboardInterrupt):
        buy(service, [0.1])
    service.fetch = service_fetch
    (submission,) = store.find()
    worker = Worker(store, service, policy=PATIENCE)
    assert worker.advance(submission.id).state is State.STORED
    return store.submission(submission.id)


@pytest.mark.parametrize("damage", [b"", b"other bytes", None])
def test_a_result_that_is_damaged_before_it_was_read_is_fetched_again(damage, buy, store):
    service = Unreliable()
    submission = stored(buy, store, service)
    path = blob(store, submission.raw)
    path.unlink() if damage is None else path.write_bytes(damage)
    np.testing.assert_allclose(buy(service, [0.1]), np.cos([0.1]))
    (done,) = store.find()
    assert (done.state, done.fetches, len(service.posts)) == (State.ANSWERED, 2, 1)
    assert verify(store) == 1


@pytest.mark.parametrize("damage", [b"other bytes", None])
def test_a_result_that_is_damaged_later_is_reported_and_its_answers_stay(damage, buy, store):
    service = Unreliable()
    buy(service, [0.1])
    (done,) = store.find()
    path = blob(store, done.raw)
    path.unlink() if damage is None else path.write_bytes(damage)
    with pytest.raises(LedgerError, match="missing" if damage is None else "damaged"):
        verify(store)
    np.testing.assert_allclose(buy(service, [0.1]), np.cos([0.1]))
    assert len(service.posts) == 1


def test_a_changed_answer_is_reported(buy, store):
    from qvlm_qiskit.jobs.ledger import schema

    buy(Unreliable(), [0.1])
    (row,) = store.rows_of(store.find()[0].id)
    changed = np.nextafter(row.evs, 2).tobytes()
    with store.transaction() as connection:
        connection.execute(schema.rows.update().values(evs=changed))
    with pytest.raises(LedgerError, match="differs from its raw"):
        verify(store)


DAMAGES = {
    "a row is missing": ("delete from rows where position = 1", "1 of what was asked are missing"),
    "a row is at another place": ("update rows set position = 9 where position = 1", "missing"),
    "its key is another": (
        "update rows set key = '00' || substr(key, 3) where position = 1",
        "has the place of",
    ),
    "the count is another": ("update submissions set rows = 7", "counts 7"),
    "the shots are another number": (
        """update answers set metadata = '{"shots": 1}'""",
        "what the ledger says about its answers",
    ),
    "the machine is another": (
        """update submissions set about = '{"machine": "other"}'""",
        "machine and options",
    ),
    "a value is missing": ("update rows set stds = null where position = 2", "differs from its"),
    "an answer is missing": ("delete from answers", "is damaged: an answer of submission"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_inside_the_database_is_found(damage, buy, store):
    from sqlalchemy import text

    buy(Unreliable(), [0.1, 0.2, 0.3])
    assert verify(store) == 3
    statement, says = DAMAGES[damage]
    with store.transaction() as connection:
        connection.execute(text(statement))
    with pytest.raises(LedgerError, match=says):
        verify(store)


def test_two_rows_that_changed_places_with_their_values_are_found(buy, store):
    from qvlm_qiskit.jobs.ledger import schema

    buy(Unreliable(), [0.1, 0.2])
    table = schema.rows
    first, second = store.rows_of(store.find()[0].id)
    with store.transaction() as connection:
        for old, new in ((first.key, "x"), (second.key, first.key), ("x", second.key)):
            connection.execute(table.update().where(table.c.key == old).values(key=new))
    with pytest.raises(LedgerError, match="has the place of"):
        verify(store)


def test_a_missing_answer_is_said_at_the_next_read(buy, store):
    from qvlm_qiskit.jobs.ledger import schema

    service = Unreliable()
    buy(service, [0.1])
    with store.transaction() as connection:
        connection.execute(schema.answers.delete())
    with pytest.raises(LedgerError, match=r"is missing; .*Restore a copy.*--fresh"):
        buy(service, [0.1])
    assert len(service.posts) == 1


def test_a_damaged_package_is_said_and_nothing_is_fetched_for_it(buy, store):
    service = Unreliable()
    submission = stored(buy, store, service)
    blob(store, submission.package).write_bytes(b"other bytes")
    for _ in range(2):
        with pytest.raises(LedgerError, match="asked can't be read"):
            buy(service, [0.1])
    (found,) = store.find()
    assert (found.state, found.fetches) == (State.STORED, submission.fetches)


def test_a_package_that_is_damaged_before_it_was_sent_is_not_sent(buy, store):
    service = Unreliable()
    with pytest.raises(BudgetError):
        buy(service, [0.1], budget=Budget(executions=1))
    blob(store, store.find()[0].package).write_bytes(b"other bytes")
    with pytest.raises(LedgerError, match="damaged"):
        buy(service, [0.1])
    assert service.posts == [] and store.find()[0].state is State.INTENDED
