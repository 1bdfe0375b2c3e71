"""Bills that come late, change, or never come."""

import pytest

from qvlm_qiskit.backends.service import Allowance, NoSuchJobError, UnreachableError
from qvlm_qiskit.errors import BudgetError, JobPending
from qvlm_qiskit.jobs import Budget, Worker
from qvlm_qiskit.jobs.costs.bills import RECENT_SECONDS, settle
from tests.jobs.conftest import PATIENCE
from tests.jobs.costs.charging import NEEDED, Bills
from tests.jobs.unreliable import Unreliable


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
