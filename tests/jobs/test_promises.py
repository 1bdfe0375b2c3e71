"""A promise across `jobs`: tests no single module.

It is held against a server that fails in every way, and has a control: the same test with the
protection off must fail, so that it is known to look at the right thing.
"""

import contextlib
import threading
import time
from collections import Counter

import numpy as np
import pytest
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.preflight.limits import JobLimits
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.backends.service import Allowance, UnreachableError
from qvlm_qiskit.basics.same_row import GRID
from qvlm_qiskit.errors import BudgetError, JobError, JobFailedError, JobPending, LedgerError
from qvlm_qiskit.jobs import Budget, JobStore, State, Worker
from qvlm_qiskit.jobs.ledger.runs import retry
from qvlm_qiskit.jobs.verify import verify
from qvlm_qiskit.jobs.worker.reconcile import certain_at, is_settled
from tests.jobs.conftest import HOURS, PATIENCE, sqlite_or_postgresql
from tests.jobs.unreliable import FINAL_FAULTS, POST_FAULTS, Clock, Server, Unreliable

PASSING = [name for name in POST_FAULTS if name not in FINAL_FAULTS]
AMBIGUOUS = [name for name, (_, error) in POST_FAULTS.items() if error.__name__ == "AmbiguousError"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def place(request, tmp_path):
    return sqlite_or_postgresql(request, tmp_path)


def jobs_per_tag(server):
    return Counter(job["tag"] for job in server.jobs())


@pytest.mark.parametrize("fault", PASSING)
def test_one_fault_leads_to_one_job(fault, buy, store):
    service = Unreliable(script=[fault])
    if fault.startswith("session closed"):
        service.open_session("batch", None)
    found = buy(service, [0.1, 0.2], mode="batch")
    np.testing.assert_allclose(found, np.cos([0.1, 0.2]))
    (submission,) = store.find()
    assert submission.state is State.ANSWERED
    assert jobs_per_tag(service.server) == {submission.tag: 1}
    accepted, _ = POST_FAULTS[fault]
    assert len(service.posts) == (1 if accepted else 2)


@pytest.mark.parametrize("misread", ["id", "body"])
def test_what_is_said_about_another_job_is_not_taken(misread, buy, store):
    """The server answers a submission with another job's id, or a question with its body."""
    service = Unreliable(misread=[misread], final="running")
    for number in (0.1, 0.2):
        with pytest.raises(JobPending):
            buy(service, [number], detach=True)
    service.final = "completed"
    np.testing.assert_allclose(buy(service, [0.1, 0.2]), np.cos([0.1, 0.2]))
    first, second = store.find()
    assert {first.server_id, second.server_id} == {job["id"] for job in service.server.jobs()}
    assert set(jobs_per_tag(service.server).values()) == {1} and len(service.posts) == 2
    assert service.misread == []


def test_an_id_that_turns_out_to_be_anothers_is_replaced_by_the_tags(buy, store):
    service = Unreliable(final="running")
    with pytest.raises(JobPending):
        buy(service, [0.1], detach=True)
    (made,) = store.find()
    right = made.server_id
    other = service.server.accept("qvlm-other", b"")
    held = store.acquire(made.id, "test", 60.0)
    store.move(held, "test", State.QUEUED, server_id=other)
    store.release(made.id, "test")
    service.final = "completed"
    np.testing.assert_allclose(buy(service, [0.1]), np.cos([0.1]))
    assert store.submission(made.id).server_id == right


def test_an_id_of_another_job_without_a_job_of_its_own_has_failed_and_nothing_is_sent(buy, store):
    service = Unreliable(final="running")
    with pytest.raises(JobPending):
        buy(service, [0.1], detach=True)
    for job in service.server.jobs():
        job["tag"] = "qvlm-other"
    with pytest.raises(JobFailedError, match="another job under this id"):
        buy(service, [0.1])
    assert len(service.posts) == 1


def unreliable_for_hours(seed, rate, **options):
    """Requests take up to ten minutes, and jobs are listed a minute later, on a simulated clock."""
    chosen = {"listing_lag": 60.0, "post_seconds": 600.0, **options}
    return Unreliable(seed=seed, rate=rate, clock=Clock(), **chosen)


@pytest.mark.slow
def test_random_faults_never_submit_twice(buy, store):
    service = unreliable_for_hours(3, 0.5)
    for number in range(40):
        assert buy(service, [float(number)], policy=HOURS)[0] == pytest.approx(np.cos(number))
    assert set(jobs_per_tag(service.server).values()) == {1}
    assert len(service.server.jobs()) == len(store.find()) == 40
    assert verify(store) == 40


@pytest.mark.slow
def test_two_hundred_keys_under_random_faults(buy, store):
    service = unreliable_for_hours(1, 0.6)
    keys = 60 if store.engine.dialect.name == "postgresql" else 200
    for number in range(keys):
        found = buy(service, [float(number)], mode="batch", policy=HOURS)
        assert found[0] == pytest.approx(np.cos(number))
    assert set(jobs_per_tag(service.server).values()) == {1}
    assert len(service.server.jobs()) == keys
    assert verify(store) == keys


@pytest.mark.slow
@pytest.mark.parametrize("grace", ["post_seconds", "visible_after_seconds"])
def test_control_without_either_part_of_the_grace_period_jobs_are_submitted_twice(grace, buy):
    """The server lists a job later than the search that finds nothing."""
    service = unreliable_for_hours(3, 0.5, visible_after_seconds=60.0)
    setattr(service, grace, 0.0)
    real, stated = service.submit, service.post_seconds

    def submit(*arguments, **options):
        service.post_seconds = 600.0
        try:
            return real(*arguments, **options)
        finally:
            service.post_seconds = stated

    service.submit = submit
    for number in range(40):
        with contextlib.suppress(JobFailedError):  # refused, as it says, and accepted all the same
            buy(service, [float(number)], policy=HOURS)
    assert max(jobs_per_tag(service.server).values()) > 1


def test_control_a_client_that_retries_submits_twice(circuit, store):
    """What the loop around a plain client does: send again after every error."""
    service = Unreliable(seed=3, rate=0.5)
    for number in range(40):
        while True:
            try:
                service.submit(package(circuit), f"tag-{number}", max_seconds=1)
            except JobError:
                continue
            break
    assert len(service.server.jobs()) > 40


def package(circuit):
    return Package((EstimatorPub.coerce((circuit, "Z", [0.1]), 0.1),))


@pytest.mark.parametrize("fault", AMBIGUOUS)
def test_unknown_waits_for_the_grace_period_and_for_evidence(fault, buy, store):
    clock = Clock()
    service = Unreliable(script=[fault], listing_lag=1e9, visible_after_seconds=60.0, clock=clock)
    with pytest.raises(JobPending):
        buy(service, [0.1], detach=True)
    (submission,) = store.find()
    assert submission.state is State.UNKNOWN
    assert len(service.posts) == 1
    accepted, _ = POST_FAULTS[fault]
    if accepted:  # the list shows it now: adopted, though the grace period has not ended
        service.listing_lag = 0.0
        buy(service, [0.1])
        assert len(service.posts) == 1
    else:
        clock.sleep(59.0)
        with pytest.raises(JobPending):
            buy(service, [0.1], detach=True)
        assert len(service.posts) == 1
        clock.sleep(1.0 + PATIENCE.start_seconds)
        service.listing_lag = 0.0
        buy(service, [0.1])
        assert len(service.posts) == 2
    assert len(service.server.jobs()) == 1


def unknown_for_a_while(buy, **options):
    """A request that was accepted without an answer, and whose job is listed 30 s later."""
    clock = Clock()
    service = Unreliable(
        Server(time=lambda: clock.running),
        script=["dropped after accept"], visible_after_seconds=60.0, clock=clock, **options,
    )  # fmt: skip

    def listed(tag):
        jobs = [j for j in service.server.jobs() if j["tag"] == tag]
        return [service._job(j["id"]) for j in jobs if clock.running >= j["at"] + 30]

    service.find = listed
    with pytest.raises(JobPending):
        buy(service, [0.1], detach=True)
    return service, clock


@pytest.mark.parametrize("step", [3600.0, -3600.0])
def test_a_clock_that_is_set_proves_nothing(step, buy, store):
    service, clock = unknown_for_a_while(buy)
    clock.now += step
    clock.sleep(5.0)
    with pytest.raises(JobPending):
        buy(service, [0.1], detach=True)
    assert (store.find()[0].state, len(service.posts)) == (State.UNKNOWN, 1)
    clock.sleep(25.0)
    np.testing.assert_allclose(buy(service, [0.1]), np.cos([0.1]))
    assert len(service.posts) == len(service.server.jobs()) == 1


def test_the_patience_of_the_sender_counts_and_not_only_the_searchers(buy, store):
    service, clock = unknown_for_a_while(buy)
    service.visible_after_seconds = 0.0
    clock.sleep(25.0)
    with pytest.raises(JobPending):
        buy(service, [0.1], detach=True)
    assert (store.find()[0].state, len(service.posts)) == (State.UNKNOWN, 1)


def test_another_boot_counts_from_its_beginning(buy, store, monkeypatch):
    service, clock = unknown_for_a_while(buy)
    (submission,) = store.find()
    clock.now += 3600.0
    worker = worker_on(store, service)
    for seconds, settled in ((61.0, True), (59.0, False)):
        monkeypatch.setattr(
            "qvlm_qiskit.basics.computer.clocks.boot", lambda s=seconds: ("another", s)
        )
        assert is_settled(worker, submission) is settled
    monkeypatch.setattr("qvlm_qiskit.basics.computer.clocks.boot", lambda: (None, 0.0))
    assert is_settled(worker, submission)


@pytest.mark.parametrize("fault", ["dropped after accept", "dropped before accept"])
def test_another_account_is_not_asked_for_a_job(fault, buy, store):
    clock = Clock()
    service = Unreliable(script=[fault], clock=clock)
    service.find = failing
    with pytest.raises(JobPending):
        buy(service, [0.1], detach=True)
    clock.sleep(3600.0)
    other = Unreliable(clock=clock)
    other.account = "two"
    with pytest.raises(JobError, match="another account or instance"):
        buy(other, [0.1])
    assert other.posts == []
    assert store.find()[0].state is State.UNKNOWN
    del service.find
    np.testing.assert_allclose(buy(service, [0.1]), np.cos([0.1]))
    assert len(service.server.jobs()) == 1


def test_a_failing_search_proves_nothing(buy, store):
    service = Unreliable(script=["hang before accept"])
    service.find = failing
    with pytest.raises(JobPending):
        buy(service, [0.1], detach=True)
    (submission,) = store.find()
    assert (submission.state, len(service.posts)) == (State.UNKNOWN, 1)


def failing(tag):
    raise UnreachableError("no answer")


@pytest.mark.slow
def test_every_job_that_the_server_accepted_is_in_the_ledger(buy, store):
    service = Unreliable(seed=5, rate=0.7)
    for number in range(30):
        with pytest.raises(JobPending):
            while True:  # each call stops as soon as it has sent; faults may need several
                buy(service, [float(number)], detach=True)
    buy(service, np.arange(30.0))
    known = {s.server_id for s in store.find()}
    assert {job["id"] for job in service.server.jobs()} == known


def test_resuming_gives_the_same_bits_and_sends_nothing(buy, store, place):
    service = Unreliable(final="running")
    with pytest.raises(JobPending):
        buy(service, [0.1, 0.2, 0.3], detach=True)
    service.final = "completed"
    first = buy(service, [0.1, 0.2, 0.3])
    again = JobStore(*place)
    other = Unreliable(service.server, seed=1, rate=0.9)
    np.testing.assert_array_equal(buy(other, [0.3, 0.2, 0.1], store=again)[::-1], first)
    assert (len(service.posts), len(other.posts), other.reads) == (1, 0, 0)
    again.close()


def test_only_rows_that_nobody_asked_before_are_paid(buy, store):
    service = Unreliable()
    buy(service, [0.1, 0.2, 0.2])
    buy(service, [0.2, 0.3, 0.1, 0.4])
    assert [s.rows for s in store.find()] == [2, 2]
    assert [s.executions for s in store.find()] == [200, 200]


@pytest.mark.parametrize("cut", [1, 3])
def test_a_truncated_result_is_kept_and_fetched_again(cut, buy, store):
    service = Unreliable(truncate=cut)
    np.testing.assert_allclose(buy(service, [0.1]), np.cos([0.1]))
    (submission,) = store.find()
    assert submission.fetches == cut + 1
    notes = [event.note for event in store.history(submission.id)]
    assert sum("fetched again" in note for note in notes) == cut


def test_a_result_that_stays_damaged_is_reported_and_never_half_used(buy, store):
    service = Unreliable(truncate=10**6)
    with pytest.raises(JobError, match="can't be read"):
        buy(service, [0.1])
    (submission,) = store.find()
    assert submission.state is State.STORED
    assert all(row.evs is None for row in store.rows_of(submission.id))
    service.truncate = 0
    with pytest.raises(JobError, match="can't be read"):
        buy(service, [0.1])
    assert len(service.posts) == 1


def test_a_file_that_is_damaged_before_it_is_read_is_fetched_again(buy, store):
    service = Unreliable()
    put = store.blobs.put
    damaged = []

    def damage(content):
        name = put(content)
        if content[:2] == b"PK" and b"metadata.json" in content and not damaged:
            path = store.blobs._path(name)
            path.write_bytes(path.read_bytes()[:-7])
            damaged.append(path)
        return name

    store.blobs.put = damage
    np.testing.assert_allclose(buy(service, [0.1]), np.cos([0.1]))
    (submission,) = store.find()
    assert damaged
    assert submission.fetches == 2


@pytest.mark.parametrize(
    ("fate", "state"),
    [
        ({"final": "failed"}, State.FAILED),
        ({"final": "cancelled"}, State.CANCELLED),
        ({"script": ["validation"]}, State.REFUSED),
    ],
)
def test_a_job_that_ended_is_not_sent_again_by_itself(fate, state, buy, store):
    service = Unreliable(**fate)
    for _ in range(3):
        with pytest.raises(JobFailedError, match=str(state)):
            buy(service, [0.1])
    (submission,) = store.find()
    assert (submission.state, len(service.posts)) == (state, 1)
    service.final, service.script = "completed", []
    again = retry(store, submission)
    with pytest.raises(JobError, match="not attempted again"):
        retry(store, submission)
    np.testing.assert_allclose(buy(service, [0.1]), np.cos([0.1]))
    assert (again.attempt, again.previous, len(service.posts)) == (2, submission.id, 2)
    assert store.submission(submission.id).state is state


def test_a_hanging_server_does_not_hold_a_caller_beyond_its_deadline(buy, store, circuit):
    service = Unreliable(final="queued")
    with pytest.raises(JobPending):
        buy(service, [0.1], detach=True)
    (submission,) = store.find()
    worker = worker_on(store, service)
    started = time.monotonic()
    (found,) = worker.finish([submission.id], seconds=0.3)
    assert found.state is State.QUEUED
    assert time.monotonic() - started < 30


def worker_on(store, service, **options):
    return Worker(store, service, policy=PATIENCE, **options)


@pytest.mark.parametrize(
    ("budget", "allowance", "words"),
    [
        (Budget(seconds=2.0), None, "budget of 2"),
        (Budget(executions=99), None, "budget of 99"),
        (None, Allowance(remaining_seconds=1.0), "left"),
        (None, Allowance(limit_reached=True), "limit"),
    ],
)
def test_what_would_cost_too_much_is_not_sent(budget, allowance, words, buy, store):
    """One row is 100 executions, 2 s of overhead and 25 ms."""
    service = Unreliable(allowance=allowance)
    with pytest.raises(BudgetError, match=words):
        buy(service, [0.1], budget=budget)
    (submission,) = store.find()
    assert (submission.state, service.posts) == (State.INTENDED, [])
    buy(Unreliable(), [0.1])
    assert store.submission(submission.id).state is State.ANSWERED


def test_a_budget_holds_for_all_jobs_of_a_run(buy, store):
    service, budget = Unreliable(), Budget(executions=250)
    for number in (1.0, 2.0):
        buy(service, [number], run="r-1", budget=budget)
    with pytest.raises(BudgetError, match="50"):
        buy(service, [3.0], run="r-1", budget=budget)
    buy(service, [4.0], run="r-2", budget=budget)
    assert len(service.posts) == 3
    assert all(most > 0 for _, most, _ in service.posts)


def test_more_than_a_job_may_have_becomes_several_jobs(buy, store, monkeypatch):
    monkeypatch.setattr(Unreliable, "limits", JobLimits(executions=300))
    service = Unreliable()
    np.testing.assert_allclose(buy(service, np.arange(10.0)), np.cos(np.arange(10.0)))
    assert sorted(s.executions for s in store.find()) == [100, 300, 300, 300]
    monkeypatch.setattr(Unreliable, "limits", JobLimits(executions=99))
    with pytest.raises(BudgetError, match="one row"):
        buy(service, [11.0])


def test_requests_are_paced_to_the_services_rate(buy, store, monkeypatch):
    monkeypatch.setattr("qvlm_qiskit.jobs.worker.pacing.WINDOW_SECONDS", 0.5)
    service = Unreliable(posts_per_minute=2)
    started = time.monotonic()
    for number in range(5):
        buy(service, [float(number)])
    assert len(service.posts) == 5
    assert time.monotonic() - started > 0.9


def test_two_workers_never_submit_one_key_twice(buy, store, place):
    server = Server()
    services = [Unreliable(server, seed=n, rate=0.3) for n in range(4)]
    values = [float(n) for n in range(12)]
    errors, found = [], {}

    def work(number):
        own = JobStore(*place)
        try:
            order = np.random.default_rng(number).permutation(values)
            found[number] = {v: buy(services[number], [v], store=own)[0] for v in order}
        except Exception as ex:
            errors.append(ex)
        finally:
            own.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert set(jobs_per_tag(server).values()) == {1}
    assert len(server.jobs()) == len(store.find()) == 12
    assert all(found[n] == found[0] for n in range(4))


def test_a_worker_whose_lease_ended_does_not_write(buy, store):
    service = Unreliable(final="queued")
    with pytest.raises(JobPending):
        buy(service, [0.1], detach=True)
    (submission,) = store.find()
    held = store.acquire(submission.id, "slow", 0.0)
    time.sleep(0.01)
    taken = store.acquire(submission.id, "other", 60.0)
    assert taken is not None
    with pytest.raises(LedgerError, match="no longer"):
        store.move(held, "slow", State.COMPLETED)
    assert store.acquire(submission.id, "third", 60.0) is None


def test_grace_counts_from_the_last_moment_at_which_a_request_can_arrive(buy, store):
    service = Unreliable(
        script=["hang before accept"], post_seconds=40.0, visible_after_seconds=60.0
    )
    with pytest.raises(JobPending):
        buy(service, [0.1], detach=True)
    (submission,) = store.find()
    assert certain_at(worker_on(store, service), submission) == pytest.approx(
        submission.posted_at + PATIENCE.start_seconds + 100.0
    )


def test_a_closed_batch_is_replaced_and_an_open_one_is_used_again(buy, store):
    service = Unreliable()
    for number in (1.0, 2.0):
        buy(service, [number], run="r-1", mode="batch")
    first, second = [session for _, _, session in service.posts]
    assert first == second
    service.close_session(first)
    buy(service, [3.0], run="r-1", mode="batch")
    assert service.posts[-1][2] != first


def test_rows_that_differ_by_rounding_are_one_row(buy, store):
    service = Unreliable()
    first = buy(service, [0.1, 0.2])
    again = buy(service, [0.2 + 7e-7, 0.1 - 7e-7, 0.3])
    np.testing.assert_array_equal(again[:2], first[::-1])
    assert [s.rows for s in store.find()] == [2, 1]
    buy(service, [0.1 + 8e-7])
    assert [s.rows for s in store.find()] == [2, 1, 1]


def test_neighbours_on_the_grid_of_known_rows_are_different_rows(buy, store):
    service = Unreliable()
    buy(service, [0.5])  # on the grid
    buy(service, [0.5 + GRID])
    assert len(service.posts) == 2


def test_a_row_near_a_lost_one_is_a_row_of_its_own(buy, store):
    service = Unreliable(final="failed")
    with pytest.raises(JobFailedError):
        buy(service, [0.1])
    service.final = "completed"
    buy(service, [0.1 + 5e-7])
    assert len(service.posts) == 2
