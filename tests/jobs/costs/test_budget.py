"""What is promised about the bill, against services and workers that make it hard to keep."""

from dataclasses import replace

import numpy as np
import pytest

from qvlm_qiskit.backends.ibm.runtime_jobs import read_allowance
from qvlm_qiskit.backends.preflight.limits import JobLimits
from qvlm_qiskit.backends.service import Allowance
from qvlm_qiskit.errors import BudgetError, JobPending
from qvlm_qiskit.jobs import Budget, State
from tests.jobs.costs.charging import NEEDED, Bills
from tests.jobs.unreliable import Unreliable


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
    buy(service, range(4, 8), run="r-2", budget=Budget(seconds=40.0))
    assert [cap for _, cap, _ in service.posts[4:]] == [10, 10, 10, 10]


def test_a_job_of_unknown_cost_is_not_sent(buy, store):
    service = Bills()
    service.bill = 1.0
    buy(service, [1], run="r-1")
    (bought,) = store.find()
    for unknown in ({"seconds_estimated": None}, {"executions": None}):
        with pytest.raises(BudgetError, match="nothing says beforehand what it would cost"):
            Budget().check(store, service, replace(bought, **unknown))


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


def test_other_runs_submissions_count_against_the_budget_they_are_sent_under(buy, store):
    service = Unreliable()
    for number in range(3):
        with pytest.raises(BudgetError):
            buy(service, [number], run=f"r-{number}", budget=Budget(seconds=1.0))
    with pytest.raises(BudgetError, match="executions; the budget of 150"):
        buy(service, range(4), run="r-A", budget=Budget(executions=150))
    assert len(service.posts) == 1
    assert {s.run for s in store.find() if s.posts} == {"r-A"}


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


def test_a_run_without_a_bill_may_not_spend_the_rest_of_its_budget(buy, store):
    service, budget = Bills(), Budget(seconds=20.0)
    buy(service, [1], run="r-1", budget=budget)
    with pytest.raises(BudgetError, match="whose bill is not there yet"):
        buy(service, [2], run="r-1", budget=budget)
    service.bill = 3.0
    buy(service, [2], run="r-1", budget=budget)
    assert [cap for _, cap, _ in service.posts] == [20, 17]


def test_a_usage_limit_of_zero_is_a_limit():
    used = {"usage_consumed_seconds": 10, "usage_allocation_seconds": 600}
    assert read_allowance({**used, "usage_limit_seconds": 0}) == Allowance(0.0)
    assert read_allowance({**used, "usage_limit_seconds": None}) == Allowance(590.0)
    assert read_allowance(used) == Allowance(590.0)
    assert read_allowance({"usage_consumed_seconds": 10}) == Allowance(None)
