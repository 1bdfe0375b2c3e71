"""A ledger whose database is lost, made again from the files that lie beside it.

Every submission that was sent, or may have been, and every run has a record there
(`jobs.ledger.journal`). What was asked gives the rows their keys, what came back their answers.
Not there are histories, intents that never got as far as being sent, and which known row answered
one near it: that is decided anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlalchemy.dialects import postgresql, sqlite

from qvlm_qiskit.backends.pubs.answer import DamagedResultError
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs.ledger import schema
from qvlm_qiskit.jobs.ledger.blobs import DamagedBlobError
from qvlm_qiskit.jobs.ledger.database import DamagedLedgerError
from qvlm_qiskit.jobs.ledger.location import DATABASE, LostLedgerError
from qvlm_qiskit.jobs.ledger.projection import projection
from qvlm_qiskit.jobs.ledger.rows import split
from qvlm_qiskit.jobs.ledger.states import State
from qvlm_qiskit.jobs.ledger.store import JobStore
from qvlm_qiskit.jobs.services.decode import redecode

OWNER = "rebuild"
_DECODED = (State.STORED, State.ANSWERED)
_WITHOUT_RESULTS = (State.REFUSED, State.FAILED, State.CANCELLED, State.WITHDRAWN)


@dataclass(frozen=True)
class Rebuilt:
    """What was found.

    Attributes:
        runs: Runs.
        submissions: Submissions that were sent, or may have been.
        rows: Rows that were answered again from raw results.
        unread: Ids of submissions whose files are damaged or missing, with what was found.
    """

    runs: int
    submissions: int
    rows: int
    unread: Mapping[str, str]


def rebuild(place: str | Path, blobs: str | Path | None = None) -> Rebuilt:
    """Make a lost or damaged database again; a damaged file is kept beside it.

    Args:
        place: As `JobStore` takes it.
        blobs: Likewise.

    Raises:
        LedgerError: The database is there, or there are no records to make it from.
    """
    try:
        JobStore(place, blobs, create=False).close()
    except LostLedgerError:
        pass
    except DamagedLedgerError:
        _set_aside(Path(place))
    else:
        raise LedgerError(f"the ledger {place} has its database: there is nothing to rebuild")
    store = JobStore(place, blobs, rebuilding=True)
    try:
        return _rebuilt(store)
    finally:
        store.close()


def _set_aside(folder: Path) -> None:
    """Rename a damaged database, with its journal, to a name that is free."""
    number = 1
    while (folder / f"{DATABASE}.damaged-{number}").exists():
        number += 1
    for ending in ("", "-wal", "-shm"):
        path = folder / f"{DATABASE}{ending}"
        if path.exists():
            path.rename(folder / f"{DATABASE}.damaged-{number}{ending}")


def _rebuilt(store: JobStore) -> Rebuilt:
    runs = list(store.journal.records("r-"))
    with store.transaction() as connection:
        for run in runs:
            connection.execute(insert(schema.runs).values(run))
    # Where two have asked for a row, the one that has an answer to it has it.
    records = sorted(store.journal.records("s-"), key=_rank)
    rows, unread = 0, {}
    for record in records:
        try:
            rows += _entered(store, record)
        except (DamagedBlobError, DamagedResultError, LedgerError) as ex:
            unread[str(record["id"])] = str(ex)
    return Rebuilt(len(runs), len(records), rows, unread)


def _rank(record: Mapping[str, Any]) -> tuple[int, float]:
    state = State(record["state"])
    order = 0 if state in _DECODED else 2 if state in _WITHOUT_RESULTS else 1
    return order, -float(record["created_at"])


def _entered(store: JobStore, record: Mapping[str, Any]) -> int:
    """Write a submission with its rows; return how many of them have answers now."""
    state = State(record["state"])
    columns = {**record, "lease_owner": None, "lease_until": None}
    if state in _DECODED:
        columns["state"] = State.STORED.value
    with store.transaction() as connection:
        connection.execute(insert(schema.submissions).values(columns))
        connection.execute(
            insert(schema.events).values(
                submission=record["id"], at=record["updated_at"], state=columns["state"],
                note="found beside the ledger, whose database was lost", owner=OWNER,
            )
        )  # fmt: skip
    held = store.submission(str(record["id"]))
    package = Package.from_bytes(store.blobs.get(held.package))
    with store.transaction() as connection:
        upsert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        statement = upsert(schema.rows).on_conflict_do_nothing()
        lines = _lines(package, held.about, held.id)
        connection.execute(statement, sorted(lines, key=lambda line: str(line["key"])))
    if state not in _DECODED:
        return 0
    answers = redecode(store, held)
    taken = store.acquire(held.id, OWNER, 60.0)
    if taken is None:
        raise LedgerError(f"submission {held.id} is in use while its ledger is rebuilt")
    store.answer(taken, OWNER, answers)
    store.release(held.id, OWNER)
    return held.rows


def _lines(package: Package, about: Mapping[str, Any], submission: str) -> list[dict[str, Any]]:
    counts = [0] * len(package.pubs)
    lines = []
    for row in split(package.pubs, about):
        lines.append(
            {
                "key": row.key,
                "submission": submission,
                "pub": row.pub,
                "position": counts[row.pub],
                "kind": row.group,
                "parameters": row.values.tobytes(),
                "projection": projection(row.values),
            }
        )
        counts[row.pub] += 1
    return lines
