"""States of a submission, and which can follow."""

import pytest

from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs import State
from qvlm_qiskit.jobs.ledger.states import FINAL, NEXT
from tests.jobs.conftest import sqlite_or_postgresql
from tests.jobs.ledger.submissions import STEPS_TO, brought_to


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    return sqlite_or_postgresql(request, tmp_path)


@pytest.mark.parametrize("state", list(State))
def test_only_the_next_states_can_follow(state, ledger):
    for number, other in enumerate(State):
        held = brought_to(ledger, state, f"s-{number}", (number,))
        if other is state or other in NEXT[state]:
            moved = ledger.move(held, "a", other, "why")
            assert moved.state is ledger.submission(held.id).state is other
            assert ledger.history(held.id)[-1].note == "why"
        else:
            with pytest.raises(LedgerError, match=f"is {state} can't become {other}"):
                ledger.move(held, "a", other)
            assert ledger.submission(held.id) == held


def test_final_states_lead_nowhere():
    assert {state for state in State if not NEXT[state]} == FINAL
    assert set(STEPS_TO) == set(NEXT) == set(State)
