"""What a ledger's jobs have cost."""

import pytest

from qvlm_qiskit.errors import BudgetError
from qvlm_qiskit.jobs import Budget
from qvlm_qiskit.jobs.costs.usage import usage
from tests.jobs.unreliable import Unreliable


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
