"""What is stored comes back: to the last bit, and whatever words it holds."""

import numpy as np
import pytest

from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs import State
from tests.jobs.conftest import sqlite_or_postgresql
from tests.jobs.ledger.hammer import key
from tests.jobs.ledger.submissions import add, answers, brought_to


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    return sqlite_or_postgresql(request, tmp_path)


def test_answers_are_written_once_and_to_the_last_bit(ledger):
    held = brought_to(ledger, State.STORED, keys=(1, 2, 3))
    evs = np.array([[0.1 + 0.2, -0.0, np.nextafter(1, 2)], [1e-308, np.nan, 5e-324]])
    assert ledger.answer(held, "a", answers(evs)).state is State.ANSWERED
    for position in range(3):
        row = ledger.find_rows([key(position + 1)])[key(position + 1)]
        assert row.evs.tobytes() == evs[:, position].tobytes()
        assert row.stds.tobytes() == np.zeros(2).tobytes()
    for again in (held, ledger.submission("s-1")):
        with pytest.raises(LedgerError):
            ledger.answer(again, "a", answers(np.ones((2, 3))))
    assert ledger.rows_of("s-1")[0].evs[0] == 0.1 + 0.2
    assert [metadata for metadata, _ in ledger.answers_of("s-1")] == [{"shots": 10}]


def test_a_servers_words_are_stored_whatever_they_hold(ledger):
    add(ledger)
    held = ledger.acquire("s-1", "a", 60.0)
    held = ledger.move(held, "a", State.POSTING, "a\0b\ud800c", reason="d\0\udfffe")
    assert held.reason == "d\ufffd?e"
    assert ledger.history("s-1")[-1].note == "a\ufffdb?c"
