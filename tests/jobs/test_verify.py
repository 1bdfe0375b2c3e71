"""Damage that verifying a ledger finds."""

import numpy as np
import pytest

from qvlm_qiskit.backends.service import encode_local
from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs.verify import verify
from tests.jobs.stored import blob
from tests.jobs.unreliable import Unreliable


@pytest.mark.parametrize("damage", [b"other bytes", None])
def test_a_result_that_is_damaged_later_is_reported_and_its_answers_stay(damage, buy, store):
    service = Unreliable()
    buy(service, [0.1])
    (done,) = store.find()
    path = blob(store, done.raw)
    path.unlink() if damage is None else path.write_bytes(damage)
    with pytest.raises(LedgerError, match="missing" if damage is None else "damaged"):
        verify(store)
    np.testing.assert_allclose(buy(service, [0.1]), np.cos([0.1]))
    assert len(service.posts) == 1


def test_a_changed_answer_is_reported(buy, store):
    from qvlm_qiskit.jobs.ledger import schema

    buy(Unreliable(), [0.1])
    (row,) = store.rows_of(store.find()[0].id)
    changed = np.nextafter(row.evs, 2).tobytes()
    with store.transaction() as connection:
        connection.execute(schema.rows.update().values(evs=changed))
    with pytest.raises(LedgerError, match="differs from its raw"):
        verify(store)


def test_an_answer_from_a_result_that_is_not_taken_any_more_is_named(buy, store):
    from qvlm_qiskit.jobs.ledger import schema

    buy(Unreliable(), [0.1])
    (done,) = store.find()
    other = store.blobs.put(encode_local([]))
    with store.transaction() as connection:
        connection.execute(schema.submissions.update().values(raw=other))
    with pytest.raises(LedgerError, match=f"submission {done.id} .* does not take: .*with 0 pubs"):
        verify(store)


DAMAGES = {
    "a row is missing": ("delete from rows where position = 1", "1 of what was asked are missing"),
    "a row is at another place": ("update rows set position = 9 where position = 1", "missing"),
    "its key is another": (
        "update rows set key = '00' || substr(key, 3) where position = 1",
        "has the place of",
    ),
    "the count is another": ("update submissions set rows = 7", "counts 7"),
    "the shots are another number": (
        """update answers set metadata = '{"shots": 1}'""",
        "what the ledger says about its answers",
    ),
    "the machine is another": (
        """update submissions set about = '{"machine": "other"}'""",
        "machine and options",
    ),
    "a value is missing": ("update rows set stds = null where position = 2", "differs from its"),
    "an answer is missing": ("delete from answers", "is damaged: an answer of submission"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_inside_the_database_is_found(damage, buy, store):
    from sqlalchemy import text

    buy(Unreliable(), [0.1, 0.2, 0.3])
    assert verify(store) == 3
    statement, says = DAMAGES[damage]
    with store.transaction() as connection:
        connection.execute(text(statement))
    with pytest.raises(LedgerError, match=says):
        verify(store)


def test_two_rows_that_changed_places_with_their_values_are_found(buy, store):
    from qvlm_qiskit.jobs.ledger import schema

    buy(Unreliable(), [0.1, 0.2])
    table = schema.rows
    first, second = store.rows_of(store.find()[0].id)
    with store.transaction() as connection:
        for old, new in ((first.key, "x"), (second.key, first.key), ("x", second.key)):
            connection.execute(table.update().where(table.c.key == old).values(key=new))
    with pytest.raises(LedgerError, match="has the place of"):
        verify(store)
