"""Runs: which state follows which, and which process decides it."""

import threading

import pytest

from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.ledger.runs import (
    WANTED,
    RunStateError,
    close_run,
    load_run,
    new_run,
    note_wanted,
    others_waiting,
)
from tests.jobs.conftest import sqlite_or_postgresql
from tests.jobs.ledger.submissions import ENDS, add, ended


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    return sqlite_or_postgresql(request, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "allowed"),
    [
        ("waiting", "done", True),
        ("waiting", "failed", True),
        ("waiting", "cancelled", True),
        ("failed", "cancelled", True),
        ("failed", "waiting", True),
        ("cancelled", "waiting", True),
        ("cancelled", "cancelled", True),
        ("cancelled", "done", False),
        ("cancelled", "failed", False),
        ("failed", "done", False),
        ("done", "failed", False),
        ("done", "cancelled", False),
        ("done", "waiting", False),
    ],
)
def test_the_state_on_disk_decides_which_can_follow(old, new, allowed, store):
    run = ended(store, old)
    options = ENDS.get(new, {})
    if allowed:
        assert close_run(store, run, new, **options).state == new
        return
    with pytest.raises(RunStateError, match=f"can't become {new}"):
        close_run(store, run, new, **options)
    assert load_run(store, run.id) == run


def test_of_a_cancellation_and_an_end_one_wins(place, store):
    """Both processes have read that the run waits."""
    for _ in range(10):
        run, won = new_run(store, {}), []
        barrier = threading.Barrier(2)

        def close(state, run=run, won=won, barrier=barrier):
            own = JobStore(*place)
            barrier.wait()
            try:
                won.append(close_run(own, run, state, **ENDS[state]).state)
            except LedgerError:
                pass
            finally:
                own.close()

        threads = [threading.Thread(target=close, args=[s]) for s in ("done", "cancelled")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [load_run(store, run.id).state] == won


def test_whose_wish_is_noted(ledger):
    """Another run's submission gets one line, by the one that waits; nobody's own gets any."""
    first, second = new_run(ledger, {}), new_run(ledger, {})
    add(ledger, "s-1", keys=(1,), run=first.id)
    add(ledger, "s-2", keys=(2,), run=second.id)
    add(ledger, "s-3", keys=(3,))
    for _ in range(2):
        note_wanted(ledger, ["s-1", "s-2", "s-3"], second.id)
        note_wanted(ledger, ["s-1"], None)
    wishes = {
        name: [event.owner for event in ledger.history(name) if event.note == WANTED]
        for name in ("s-1", "s-2", "s-3")
    }
    assert wishes == {"s-1": [second.id], "s-2": [], "s-3": [second.id]}
    assert others_waiting(ledger, ledger.submission("s-1"), first) == [second.id]
    assert others_waiting(ledger, ledger.submission("s-1"), second) == [first.id]
    assert others_waiting(ledger, ledger.submission("s-2"), second) == []
