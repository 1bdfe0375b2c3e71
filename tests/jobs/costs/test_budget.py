"""What is promised about the bill, against services and workers that make it hard to keep."""

from dataclasses import replace

import numpy as np
import pytest

from qvlm_qiskit.backends.ibm.runtime_jobs import read_allowance
from qvlm_qiskit.backends.preflight.limits import JobLimits
from qvlm_qiskit.backends.service import Allowance, NoSuchJobError, UnreachableError
from qvlm_qiskit.errors import BudgetError, JobPending
from qvlm_qiskit.jobs import Budget, State, Worker
from qvlm_qiskit.jobs.costs.bills import RECENT_SECONDS, settle
from qvlm_qiskit.jobs.costs.usage import usage
from tests.jobs.conftest import PATIENCE
from tests.jobs.unreliable import Unreliable

NEEDED = 2.025
"""QPU seconds of one row."""


class Charges(Unreliable):
    """Jobs take as long as they are allowed to."""

    def __init__(self, **options):
        super().__init__(**options)
        self.caps = {}

    def submit(self, package, tag, *, max_seconds, session=None):
        server_id = super().submit(package, tag, max_seconds=max_seconds, session=session)
        self.caps[server_id] = max_seconds
        return server_id

    def _job(self, server_id):
        return replace(super()._job(server_id), usage_seconds=float(self.caps[server_id]))


class Bills(Unreliable):
    """Says `bill` for every job, None while it is not certain."""

    bill = None

    def _job(self, server_id):
        return replace(super()._job(server_id), usage_seconds=self.bill)


def test_jobs_that_run_at_once_may_not_use_more_than_the_budget_together(buy, store):
    service, budget = Charges(final="running"), Budget(seconds=20.0)
    for number in range(4):
        with pytest.raises(JobPending):
            buy(service, [number], run="r-1", budget=budget, detach=True)
    assert len(service.posts) == 1
    first, *others = store.find()
    assert (first.max_seconds, {s.state for s in others}) == (20, {State.INTENDED})
    service.final = "completed"
    with pytest.raises(BudgetError, match=r"budget of 20\.0 has 0\.0 left"):
        buy(service, [0, 1], run="r-1", budget=budget)
    assert sum(s.seconds_used or 0 for s in store.find()) == 20.0
    buy(service, [2], run="r-2", budget=budget)  # another run has its own


def test_what_is_recorded_together_shares_the_budget(buy, store, monkeypatch):
    """Four jobs of one call: none has to wait for another one's bill."""
    monkeypatch.setattr(Unreliable, "limits", JobLimits(executions=100))
    service = Charges()
    buy(service, range(4), run="r-1", budget=Budget(seconds=20.0))
    assert [cap for _, cap, _ in service.posts] == [5, 5, 5, 5]


def test_a_job_may_use_what_the_run_has_not_used(buy):
    service, budget = Bills(), Budget(seconds=20.0)
    service.bill = 15.5
    buy(service, [1], run="r-1", budget=budget)
    service.bill = 1.0
    buy(service, [2], run="r-1", budget=budget)
    assert [cap for _, cap, _ in service.posts] == [20, 4]


def test_a_waiting_job_is_sent_when_the_others_were_charged_less(buy, store, monkeypatch):
    monkeypatch.setattr(Unreliable, "limits", JobLimits(executions=100))
    service, budget = Bills(final="running"), Budget(seconds=6.0)
    with pytest.raises(JobPending):
        buy(service, [1], run="r-1", budget=budget, detach=True)
    service.bill = 1.0
    with pytest.raises(JobPending, match="reserved") as pending:
        buy(service, [2], run="r-1", budget=budget, detach=True)
    assert pending.value.submissions == (store.find()[0].id,)
    service.final = "completed"
    np.testing.assert_allclose(buy(service, [1, 2], run="r-1", budget=budget), np.cos([1, 2]))


def test_a_job_that_no_call_asks_for_is_followed_where_its_bill_is_waited_for(buy, store):
    service, budget = Bills(final="running"), Budget(seconds=6.0)
    with pytest.raises(JobPending):
        buy(service, [1], run="r-1", budget=budget, detach=True)
    service.bill, service.final = 1.0, "completed"
    np.testing.assert_allclose(buy(service, [2], run="r-1", budget=budget), np.cos([2]))
    assert [s.state for s in store.find()] == [State.ANSWERED] * 2


# Other runs ----------------------------------------------------------------------------------


def test_what_another_run_left_is_paid_by_the_run_that_sends_it(buy, store):
    service = Unreliable()
    with pytest.raises(BudgetError):
        buy(service, [1, 2], run="r-B", budget=Budget(seconds=1.0))
    buy(service, [1, 2], run="r-A", budget=Budget(seconds=50.0))
    (submission,) = store.find()
    assert submission.run == "r-A"
    assert [(u.run, u.jobs) for u in usage(store)] == [("r-A", 1)]
    notes = [event.note for event in store.history(submission.id)]
    assert "sent and paid by r-A; was recorded by r-B" in notes
    buy(service, [1, 2], run="r-B", budget=Budget(seconds=1.0))  # finds them, and pays nothing


def test_other_runs_submissions_count_against_the_budget_they_are_sent_under(buy, store):
    service = Unreliable()
    for number in range(3):
        with pytest.raises(BudgetError):
            buy(service, [number], run=f"r-{number}", budget=Budget(seconds=1.0))
    with pytest.raises(BudgetError, match="executions; the budget of 150"):
        buy(service, range(4), run="r-A", budget=Budget(executions=150))
    assert len(service.posts) == 1
    assert {s.run for s in store.find() if s.posts} == {"r-A"}


@pytest.mark.parametrize("mode", ["batch", "session"])
def test_no_session_stays_open_for_another_runs_submission(mode, buy, store):
    service = Unreliable()
    with pytest.raises(BudgetError):
        buy(service, [1], run="r-B", budget=Budget(seconds=1.0))
    buy(service, [1], run="r-A", mode=mode)
    assert len(service.open_sessions) == 1
    Worker(store, service, policy=PATIENCE, mode=mode).close("r-A")
    assert service.open_sessions == set()


def test_a_worker_closes_all_that_it_opened_when_its_run_ends(buy, store):
    service = Unreliable(final="running")
    for run in ("r-1", "r-2"):
        with pytest.raises(BudgetError):
            buy(service, [int(run[-1])], run=run, budget=Budget(seconds=1.0))
    worker = Worker(store, service, policy=PATIENCE, mode="session")
    for submission in store.find():
        worker.advance(submission.id)
    assert len(service.open_sessions) == 2
    worker.close("r-1")
    assert service.open_sessions == set()


def test_a_session_is_opened_for_no_longer_than_the_budgets_rest(buy, store):
    service, opened = Bills(), []
    service.bill = 8.0

    def note(kind, max_seconds):
        opened.append((kind, max_seconds))
        return Unreliable.open_session(service, kind, max_seconds)

    service.open_session = note
    for number in range(2):
        buy(service, [number], run="r-1", mode="session", budget=Budget(seconds=30.0))
        service.open_sessions.clear()
    buy(service, [3], run="r-2", mode="session")
    buy(service, [4], run="r-3", mode="batch", budget=Budget(seconds=30.0))
    assert opened == [("session", 30), ("session", 22), ("session", None), ("batch", None)]


# The account ---------------------------------------------------------------------------------


def test_two_workers_do_not_spend_one_allowance_twice(buy, store):
    """While one opens its batch, another goes its whole way; both have read the same figure."""
    left = Allowance(1.5 * NEEDED)
    other = Unreliable(allowance=left, final="running")

    class Interrupted(Unreliable):
        def open_session(self, kind, max_seconds):
            with pytest.raises(JobPending):
                buy(other, [2], run="r-B", detach=True)
            return super().open_session(kind, max_seconds)

    service = Interrupted(server=other.server, allowance=left)
    with pytest.raises(BudgetError, match="not charged yet"):
        buy(service, [1], run="r-A", mode="batch")
    assert len(other.server.jobs()) == 1 and service.posts == []


def test_what_was_charged_since_the_account_was_asked_is_not_there_any_more(buy, store):
    """The other job has begun, ended and was charged between the figure and the mark."""
    left = Allowance(1.5 * NEEDED)
    other = Unreliable(allowance=left)

    class Interrupted(Unreliable):
        def open_session(self, kind, max_seconds):
            buy(other, [2], run="r-B")
            return super().open_session(kind, max_seconds)

    with pytest.raises(BudgetError, match="not charged yet"):
        buy(Interrupted(allowance=left), [1], run="r-A", mode="batch")


def test_a_job_without_a_bill_counts_and_is_asked_for_again(buy, store):
    service = Bills(allowance=Allowance(1.5 * NEEDED))
    buy(service, [1], run="r-1")
    with pytest.raises(BudgetError, match="not charged yet"):
        buy(service, [2], run="r-1")
    assert [s.seconds_used for s in store.find()] == [None, None]
    service.bill = 29.0  # and the account's figure is now what is left after it
    buy(service, [2], run="r-1")
    Worker(store, service, policy=PATIENCE).close("r-1")
    assert [s.seconds_used for s in store.find()] == [29.0, 29.0]
    assert "charged 29.0 QPU s" in {e.note for e in store.history(store.find()[0].id)}


def test_a_run_without_a_bill_may_not_spend_the_rest_of_its_budget(buy, store):
    service, budget = Bills(), Budget(seconds=20.0)
    buy(service, [1], run="r-1", budget=budget)
    with pytest.raises(BudgetError, match="whose bill is not there yet"):
        buy(service, [2], run="r-1", budget=budget)
    service.bill = 3.0
    buy(service, [2], run="r-1", budget=budget)
    assert [cap for _, cap, _ in service.posts] == [20, 17]


@pytest.mark.parametrize("error", [UnreachableError, NoSuchJobError])
def test_a_bill_that_never_comes_does_not_block_for_ever(error, buy, store, monkeypatch):
    service = Bills(allowance=Allowance(1.5 * NEEDED))
    buy(service, [1])

    def silent(server_id):
        raise error("gone")

    service.status = silent
    assert settle(store, service) == 1
    with pytest.raises(BudgetError):
        buy(service, [2])
    later = store.now() + RECENT_SECONDS
    monkeypatch.setattr(store, "now", lambda: later)
    del service.status
    buy(service, [2])


def test_bills_are_asked_once_and_only_where_there_are_any(buy, store):
    service = Bills()
    buy(service, [1], run="r-1")
    buy(service, [2], run="r-2")
    service.bill = 2.0
    assert settle(store, service, run="r-1") == 0
    assert [s.seconds_used for s in store.find()] == [2.0, None]
    service.bill = 3.0
    assert settle(store, service) == 0
    reads = service.reads
    assert settle(store, service) == 0 and service.reads == reads
    assert [s.seconds_used for s in store.find()] == [2.0, 3.0]
    service.charges = False
    assert settle(store, service) == 0


def test_what_a_running_job_has_used_so_far_is_not_its_bill(buy, store):
    service, budget = Bills(final="running"), Budget(seconds=20.0)
    service.bill = 1.0
    for number in range(2):
        with pytest.raises(JobPending):
            for _ in range(2):
                buy(service, [number], run="r-1", budget=budget, detach=True)
    assert len(service.posts) == 1


def test_another_accounts_jobs_are_not_this_ones_to_pay(buy, store):
    left = Allowance(1.5 * NEEDED)
    other, service = Bills(allowance=left), Unreliable(allowance=left)
    other.account = "another"
    buy(other, [1])
    buy(service, [2])
    assert [s.seconds_used for s in store.find()] == [None, 1.5]
    assert settle(store, service) == 0 and settle(store, other) == 1


def test_a_usage_limit_of_zero_is_a_limit():
    used = {"usage_consumed_seconds": 10, "usage_allocation_seconds": 600}
    assert read_allowance({**used, "usage_limit_seconds": 0}) == Allowance(0.0)
    assert read_allowance({**used, "usage_limit_seconds": None}) == Allowance(590.0)
    assert read_allowance(used) == Allowance(590.0)
    assert read_allowance({"usage_consumed_seconds": 10}) == Allowance(None)
