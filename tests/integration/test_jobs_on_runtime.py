"""The whole way of a submission over the unmodified Runtime client, with faults on all of it.

The faults of the loopback service are drawn with fixed seeds; each job is one key of the ledger.
"""

import dataclasses
import threading
from collections import Counter

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.ibm import runtime_jobs
from qvlm_qiskit.backends.ibm.wire import Deadlines
from qvlm_qiskit.errors import BackendError, BudgetError, JobFailedError, JobPending
from qvlm_qiskit.jobs import Budget, JobStore, Policy, Recording, State, recorded_backend
from qvlm_qiskit.jobs.ledger.runs import retry
from qvlm_qiskit.jobs.verify import verify
from tests.runtime_server import RuntimeServer

DEVICE = "fake_manila"
PATIENCE = Policy(
    start_seconds=1.5,
    lease_seconds=10.0,
    poll_seconds=0.01,
    longest_poll_seconds=0.3,
    first_retry_seconds=0.05,
    longest_retry_seconds=0.2,
    fetches=20,
)
DEADLINES = Deadlines(
    connect_seconds=1, silence_seconds=0.4, read_seconds=1.0, download_seconds=1.0,
    write_seconds=0.8, attempts=3,
)  # fmt: skip
SERVICE = {
    "post_seconds": 2.0,
    "visible_after_seconds": 0.3,
    "posts_per_minute": None,
    "deadlines": DEADLINES,
}
EVERY_FAULT = {
    "drop_before": {},
    "drop_after": {},
    "rate_limited": {"value": 0.1},
    "error_before": {"value": 500},
    "error_after": {"value": 504},
    "hang_before": {"value": 3},
    "hang_after": {"value": 3},
    "expired_token": {},
    "session_closed": {},
    "truncated": {},
    "cut": {},
    "listing_lag": {"value": 0.2},
    "another_id": {},
}
SENT_TWICE = {"drop_before", "rate_limited", "error_before", "hang_before", "session_closed"}


@pytest.fixture(scope="module")
def instant():
    """A service that makes values up, and the environment that leads the client to it."""
    with RuntimeServer([DEVICE], instant=True) as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment().items():
            patch.setenv(name, value)
        yield server


@pytest.fixture
def server(instant):
    yield instant
    instant.faults.clear()


@pytest.fixture
def store(tmp_path):
    ledger = JobStore(tmp_path / "jobs")
    yield ledger
    ledger.close()


def rotation():
    circuit = QuantumCircuit(2)
    circuit.ry(Parameter("a"), 0)
    circuit.cx(0, 1)
    return circuit


def estimator_on(store, mitigation="none", **recording):
    chosen = {"policy": PATIENCE, "service": SERVICE, **recording}
    backend = open_backend(
        f"ibm:{DEVICE}", shots=256, optimization_level=1, seed=1, mitigation=mitigation
    )
    return recorded_backend(backend, store, Recording(**chosen)).estimator()


def buy(estimator, values):
    pub = (rotation(), [["ZZ"], ["XI"]], np.reshape(values, (-1, 1)))
    return estimator.run([pub]).result()[0]


@pytest.mark.usefixtures("server")
def test_circuits_with_too_many_gates_for_one_job_are_sent_in_several(instant, store, monkeypatch):
    """The service refuses what has more than two two-qubit gates; three circuits have one each."""
    circuits = [rotation() for _ in range(3)]
    for number, circuit in enumerate(circuits):
        circuit.ry(0.3 + number, 0)
    monkeypatch.setattr(instant.api, "most_two_qubit_gates", 2)
    with pytest.raises(JobFailedError, match="3 two-qubit gates in the job; at most 2"):
        estimator_on(store).run([(c, [["ZZ"]], [[0.1], [0.2]]) for c in circuits]).result()
    known = dataclasses.replace(runtime_jobs.IBM_LIMITS, sure_two_qubit_gates=3)
    monkeypatch.setattr(runtime_jobs, "IBM_LIMITS", known)
    before = len(instant.jobs)
    asked = [(c, [["ZZ"]], [[0.3], [0.4]]) for c in circuits]
    found = estimator_on(store, run="r-2").run(asked).result()
    assert [answer.data.evs.shape for answer in found] == [(1, 2)] * 3
    assert len(instant.jobs) - before == 2


def jobs_of(server, store):
    """How many jobs the service has for each tag of the ledger."""
    return {s.tag: len(server.jobs.tagged(s.tag)) for s in store.find()}


# The short run takes one fault of each outcome.
SHORT = {"drop_after", "rate_limited", "session_closed", "truncated"}
FAULTS = [pytest.param(f, marks=() if f in SHORT else pytest.mark.slow) for f in EVERY_FAULT]


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_leads_to_one_job(fault, server, store):
    server.faults.add(fault, nth=1, **EVERY_FAULT[fault])
    found = buy(estimator_on(store, run="r-1"), [0.1, 0.2])
    assert found.data.evs.shape == (2, 2)
    (submission,) = store.find()
    assert submission.state is State.ANSWERED
    assert jobs_of(server, store) == {submission.tag: 1}
    assert len(server.jobs.posts_tagged(submission.tag)) == (2 if fault in SENT_TWICE else 1)
    assert verify(store) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 422, 429])
def test_a_job_that_was_accepted_and_denied_is_found(status, server, store):
    server.faults.add("error_after", nth=1, value=status)
    buy(estimator_on(store, run="r-1"), [0.1])
    (submission,) = store.find()
    assert submission.state is State.ANSWERED and submission.posts == 1
    assert jobs_of(server, store) == {submission.tag: 1}


def test_a_list_that_counts_more_than_it_has_proves_nothing(server, store):
    """The job is hidden for a while, and the list says that there is one more."""
    server.faults.add("drop_after", nth=1)
    server.faults.add("listing_lag", nth=1, value=2.0)
    server.faults.add("short_list", times=4)
    estimator = estimator_on(store, run="r-1", service={**SERVICE, "visible_after_seconds": 4.0})
    buy(estimator, [0.1])
    (submission,) = store.find()
    assert jobs_of(server, store) == {submission.tag: 1} and submission.posts == 1


def chaos(server, seed):
    for fault, options in EVERY_FAULT.items():
        patient = fault.startswith("hang") or fault == "expired_token"
        server.faults.add(fault, probability=0.02 if patient else 0.08, **options)
    for endpoint in ("job", "list_jobs", "results", "status", "usage"):
        server.faults.add("error_before", endpoint, probability=0.05, value=503)


@pytest.mark.slow
def test_two_hundred_keys_under_random_faults(server, store, tmp_path):
    """Eight workers share a store, so that some wait while others send."""
    chaos(server, 0)
    errors = in_threads(8, buy_all, tmp_path / "jobs")
    server.faults.clear()
    assert errors == []
    assert len(store.find()) == 200
    assert set(jobs_of(server, store).values()) == {1}
    assert verify(store) == 200


def buy_all(number, place):
    """Every eighth of 200 values."""
    ledger, estimator = JobStore(place), None
    for value in range(number, 200, 8):
        while True:
            try:
                estimator = estimator or estimator_on(ledger, run=f"r-{number}")
            except BackendError:
                continue  # the machine could not be opened at this moment
            break
        buy(estimator, [value / 100])
    ledger.close()


def in_threads(count, work, *arguments):
    """Run ``work(number, …)`` in threads; the errors."""
    errors = []

    def guarded(number):
        try:
            work(number, *arguments)
        except Exception as ex:
            errors.append(ex)

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.slow
def test_control_the_stock_client_in_a_loop_submits_twice(server):
    from qiskit_ibm_runtime.executor_estimator import Estimator

    chaos(server, 0)
    server.faults.add("error_after", probability=0.2, value=504)
    made = []
    for number in range(20):
        tag = f"stock-{number}"
        while True:
            try:
                backend = server.service().backend(DEVICE)
                estimator = Estimator(backend, options={"environment": {"job_tags": [tag]}})
                circuit = QuantumCircuit(5)
                estimator.run([(circuit, "IIIIZ")])
            except Exception:
                continue
            break
        made.append(len(server.jobs.tagged(tag)))
    assert sum(made) > 20


def test_a_job_is_resumed_while_it_is_queued_and_sent_once(server, store, tmp_path):
    server.faults.add("error_before", "job", value=503, times=40)  # nobody can ask for its state
    with pytest.raises(JobPending):
        buy(estimator_on(store, detach=True), [0.1])
    server.faults.clear()
    again = JobStore(tmp_path / "jobs")
    first = buy(estimator_on(again), [0.1])
    np.testing.assert_array_equal(buy(estimator_on(store), [0.1]).data.evs, first.data.evs)
    again.close()
    assert list(jobs_of(server, store).values()) == [1]


def test_what_failed_is_sent_again_only_when_it_is_asked_for(server, store):
    server.faults.add("job_failed", nth=1, value="the machine broke")
    estimator = estimator_on(store)
    for _ in range(2):
        with pytest.raises(JobFailedError, match="the machine broke"):
            buy(estimator, [0.1])
    (submission,) = store.find()
    assert (submission.state, jobs_of(server, store)) == (State.FAILED, {submission.tag: 1})
    again = retry(store, submission)
    buy(estimator, [0.1])
    assert (again.previous, jobs_of(server, store)[again.tag]) == (submission.id, 1)


def test_the_maximum_time_is_always_set_and_its_end_is_a_failure(server, store):
    server.faults.add("job_max_time", nth=1)
    with pytest.raises(JobPending):
        buy(estimator_on(store, detach=True), [0.1])
    server.advance(3600.0)
    with pytest.raises(JobFailedError):
        buy(estimator_on(store), [0.1])
    (submission,) = store.find()
    assert (submission.state, submission.reason_code) == (State.FAILED, 1305)
    (job,) = server.jobs.tagged(submission.tag)
    assert job.max_seconds == submission.max_seconds >= 30


def test_too_small_a_budget_sends_nothing(server, store):
    before = len(server.jobs.posts)
    with pytest.raises(BudgetError, match="budget"):
        buy(estimator_on(store, budget=Budget(seconds=1.0)), [0.1])
    assert len(server.jobs.posts) == before


@pytest.mark.slow
def test_two_workers_on_one_store(server, store, tmp_path):
    assert in_threads(2, buy_eight, tmp_path / "jobs") == []
    assert Counter(jobs_of(server, store).values()) == {1: 8}


def buy_eight(number, place):
    ledger = JobStore(place)
    estimator = estimator_on(ledger)
    for value in np.random.default_rng(number).permutation(8):
        buy(estimator, [float(value)])
    ledger.close()


@pytest.mark.slow
@pytest.mark.parametrize("level", [0, 1, 2])
def test_parity_of_the_service_the_fake_device_and_aer(level, tmp_path):
    """One job at each resilience level: values agree within their statistical errors.

    ``noisy:`` has no resilience levels; at level 0 it has the same noise and no mitigation.
    """
    values = np.linspace(-1.2, 1.2, 5)
    found = {}
    shots = 8192
    with RuntimeServer([DEVICE]) as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment().items():
            patch.setenv(name, value)
        store = JobStore(tmp_path / "jobs")
        options = {"shots": shots, "optimization_level": 1, "seed": 5}
        mitigation = f"resilience-{level}"
        names = {f"ibm:{DEVICE}": mitigation, DEVICE: mitigation}
        if level == 0:
            names[f"noisy:{DEVICE}"] = "none"
        for name, chosen in names.items():
            backend = open_backend(name, mitigation=chosen, **options)
            about = Recording(policy=PATIENCE, service={**SERVICE, "post_seconds": 30.0})
            if not name.startswith("ibm:"):
                about = Recording(policy=PATIENCE)
            found[name] = buy(recorded_backend(backend, store, about).estimator(), values).data
        store.close()
    first = found[f"ibm:{DEVICE}"]
    for name, other in found.items():
        error = np.sqrt(first.stds**2 + other.stds**2 + 2 / shots)
        error = np.where(np.isfinite(error), error, 0.1) * (3 if level == 2 else 1)
        assert np.all(np.abs(first.evs - other.evs) < 5 * error), name
