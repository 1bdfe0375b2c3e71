"""Where on its device a row runs: written down when it is first asked, so that it is found again.

Which tiles there are changes with the calibration of a machine and with options. A row that was
given a place keeps it: what was paid for there answers whoever asks again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from qvlm_qiskit.jobs.ledger import schema
from qvlm_qiskit.jobs.ledger.reads import CHUNK
from qvlm_qiskit.jobs.ledger.store import JobStore

Place = tuple[int, ...]
"""Device qubits, in the order of the compiled circuit's."""


class LedgerPlaces:
    """The places of rows in a ledger; a `backends.compilation.row_places.Memory`.

    Args:
        store: The ledger.
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def known(self, keys: Iterable[str]) -> dict[str, Place]:
        """The places of those rows that have one."""
        table, listed, found = schema.places, list(keys), {}
        with self._store.reading() as connection:
            for first in range(0, len(listed), CHUNK):
                part = listed[first : first + CHUNK]
                for line in connection.execute(select(table).where(table.c.key.in_(part))):
                    found[line.key] = tuple(json.loads(line.qubits))
        return found

    def keep(self, places: Mapping[str, Place]) -> dict[str, Place]:
        """Write down the places of new rows, where nobody has yet, and return what holds."""
        table = schema.places
        # In one order everywhere, or two workers could wait for each other for ever.
        lines = [{"key": key, "qubits": json.dumps(places[key])} for key in sorted(places)]
        with self._store.transaction() as connection:
            upsert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            connection.execute(upsert(table).on_conflict_do_nothing(), lines)
        return self.known(places)
