"""What a ledger is asked, on SQLite and on PostgreSQL."""

from qvlm_qiskit.jobs.ledger import schema
from tests.jobs.ledger.submissions import add


def test_submissions_are_found_oldest_first_and_histories_in_order(ledger):
    for number in (3, 1, 2):
        add(ledger, f"s-{number}", (number,), created_at=float(number))
    add(ledger, "s-0", (7,), created_at=2.0)
    assert [s.id for s in ledger.find()] == ["s-1", "s-0", "s-2", "s-3"]
    assert [s.id for s in ledger.find(schema.submissions.c.created_at > 1.5)] == [
        "s-0", "s-2", "s-3",
    ]  # fmt: skip
    for number in range(20):
        ledger.note("s-1", f"line {number}")
        ledger.note("s-1", f"line {number}")  # says nothing new
    notes = [event.note for event in ledger.history("s-1")]
    assert notes == ["recorded", *(f"line {number}" for number in range(20))]
