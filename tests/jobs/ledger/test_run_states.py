"""Nothing is recorded or sent for a run that has ended."""

import numpy as np
import pytest

from qvlm_qiskit.errors import BudgetError
from qvlm_qiskit.jobs import Budget, JobStore, State, Worker
from qvlm_qiskit.jobs.ledger.run_states import RunEndedError
from qvlm_qiskit.jobs.ledger.runs import close_run, new_run, retry
from tests.jobs.conftest import PATIENCE, sqlite_or_postgresql
from tests.jobs.ledger.hammer import columns, key, row
from tests.jobs.ledger.submissions import ENDS, ended
from tests.jobs.unreliable import Unreliable


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    return sqlite_or_postgresql(request, tmp_path)


@pytest.mark.parametrize("state", sorted(ENDS))
def test_nothing_is_recorded_for_a_run_that_has_ended(state, store):
    run = ended(store, state)
    with pytest.raises(RunEndedError, match=run.id):
        store.intend(columns("s-1", run=run.id), [row(1)])
    assert (store.count_jobs(), store.count_rows()) == (0, 0)
    assert store.intend(columns("s-1"), [row(1)])
    held = store.acquire("s-1", "a", 60.0)
    for step in (State.POSTING, State.REFUSED):
        held = store.move(held, "a", step)
    with pytest.raises(RunEndedError):
        retry(store, held, run.id)
    assert [r.key for r in store.rows_of("s-1")] == [key(1)]


def test_of_a_run_that_ended_before_its_turn_nothing_is_sent(store, buy):
    run, service = new_run(store, {}), Unreliable()
    with pytest.raises(BudgetError):
        buy(service, [0.1], run=run.id, budget=Budget(executions=1))
    close_run(store, run, "cancelled")
    (made,) = store.find()
    assert Worker(store, service, policy=PATIENCE).advance(made.id).state is State.WITHDRAWN
    assert service.posts == []
    # another run that met the row buys it itself
    np.testing.assert_allclose(buy(service, [0.1], run="r-2"), np.cos([0.1]))


def test_a_run_that_ends_between_the_mark_and_the_request_sends_nothing(store, buy, monkeypatch):
    """Whoever cancels then finds the submission marked, or it finds the run cancelled."""
    run, service, move = new_run(store, {}), Unreliable(), JobStore.move

    def and_cancel(self, held, owner, state, *args, **changes):
        moved = move(self, held, owner, state, *args, **changes)
        if state is State.POSTING:
            close_run(self, run, "cancelled")
        return moved

    monkeypatch.setattr(JobStore, "move", and_cancel)
    with pytest.raises(RunEndedError, match=f"run {run.id} was cancelled"):
        buy(service, [0.1], run=run.id)
    (made,) = store.find()
    assert (made.state, made.posts, service.posts) == (State.WITHDRAWN, 0, [])
    assert "was cancelled" in store.history(made.id)[-1].note
