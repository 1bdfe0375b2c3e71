"""The tables of a store, their version, and how older stores are brought up to it.

Times are seconds since 1970 (UTC). Every change of state goes through `jobs.ledger.leases`; the
tables hold no account data, and nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sqlalchemy import (
    Column,
    Connection,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    inspect,
    select,
)

from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs.ledger.projection import projection

VERSION = 6
LEDGER = "ledger"
"""Name of the ledger's id in `meta`."""

MIGRATED_AT_ONCE = 10_000
"""Rows that are in memory while a store is brought up to a newer version."""

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

submissions = Table(
    "submissions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tag", String(64), nullable=False, unique=True),
    Column("run", String(40)),
    Column("state", String(16), nullable=False),
    Column("machine", Text, nullable=False),
    Column("decoder", String(32), nullable=False),
    Column("package", String(64), nullable=False),
    Column("about", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("previous", String(40)),
    Column("rows", Integer, nullable=False),
    Column("executions", Integer),
    Column("seconds_estimated", Float),
    Column("seconds_used", Float),
    Column("max_seconds", Integer, nullable=False),
    Column("session", String(64)),
    Column("server_id", String(128)),
    Column("raw", String(64)),
    Column("reason", Text),
    Column("reason_code", Integer),
    Column("posts", Integer, nullable=False),
    Column("posted_at", Float),
    Column("certain_at", Float),
    Column("boot", String(64)),
    Column("boot_seconds", Float),
    Column("account", String(64)),
    Column("not_before", Float, nullable=False),
    Column("fetches", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("lease_owner", String(64)),
    Column("lease_until", Float),
    Column("answered_at", Float),
    Column("lease_seconds", Float),
    Column("lease_boot", String(64)),
    Column("lease_boot_until", Float),
)
Index("submissions_by_run", submissions.c.run)
Index("submissions_by_state", submissions.c.state)
submissions_by_bill = Index(
    "submissions_by_bill",
    submissions.c.machine,
    submissions.c.seconds_used,
    submissions.c.updated_at,
)
submissions_by_server_id = Index("submissions_by_server_id", submissions.c.server_id)
submissions_by_change = Index(
    "submissions_by_change", submissions.c.machine, submissions.c.updated_at
)

rows = Table(
    "rows",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("submission", String(40), nullable=False),
    Column("pub", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("evs", LargeBinary),
    Column("stds", LargeBinary),
    Column("kind", String(64)),
    Column("parameters", LargeBinary),
    Column("projection", Float),
)
rows_by_place = Index("rows_by_place", rows.c.submission, rows.c.pub, rows.c.position)
rows_by_projection = Index("rows_by_projection", rows.c.kind, rows.c.projection)

nearby = Table(
    "nearby",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("answered_by", String(64), nullable=False),
)

places = Table(
    "places",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("qubits", Text, nullable=False),
)
"""On which qubits of its device a row runs that may run on several, see `backends` on tiles."""

answers = Table(
    "answers",
    metadata,
    Column("submission", String(40), primary_key=True),
    Column("pub", Integer, primary_key=True),
    Column("metadata", Text, nullable=False),
    Column("answered_at", Float, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("submission", String(40), nullable=False),
    Column("at", Float, nullable=False),
    Column("state", String(16), nullable=False),
    Column("note", Text, nullable=False),
    Column("owner", String(64)),
)
Index("events_by_submission", events.c.submission)
events_by_owner = Index("events_by_owner", events.c.owner)

posts = Table(
    "posts",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("machine", Text, nullable=False),
    Column("submission", String(40), nullable=False),
    Column("at", Float, nullable=False),
)
Index("posts_by_time", posts.c.machine, posts.c.at)

runs = Table(
    "runs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("state", String(16), nullable=False),
    Column("request", Text, nullable=False),
    Column("result", Text),
    Column("error", Text),
)
runs_by_time = Index("runs_by_time", runs.c.created_at, runs.c.id)


def _to_2(connection: Connection) -> None:
    """Version 1 had neither runs nor the times of requests; its submissions stay as they are."""
    metadata.create_all(connection, tables=[runs, posts])


def _to_3(connection: Connection) -> None:
    """Version 2 did not keep the rows' values; its rows are found by their keys only."""
    _add(connection, rows.c.kind, rows.c.parameters)


def _to_4(connection: Connection) -> None:
    """Version 3 did not keep which row answered a nearby one, nor what a search has to wait for."""
    sent = submissions.c
    _add(connection, sent.certain_at, sent.boot, sent.boot_seconds, sent.account)
    nearby.create(connection)


def _to_5(connection: Connection) -> None:
    """Version 4 found rows near others by reading all of a kind, and knew no denied requests."""
    sent, lease = submissions.c, ("lease_seconds", "lease_boot", "lease_boot_until")
    _add(connection, sent.answered_at, *(sent[name] for name in lease), rows.c.projection)
    missing = (
        select(rows.c.key, rows.c.parameters)
        .where(rows.c.parameters.is_not(None), rows.c.projection.is_(None))
        .order_by(rows.c.key)
        .limit(MIGRATED_AT_ONCE)
    )
    written = (
        rows.update()
        .where(rows.c.key == bindparam("row"))
        .values(projection=bindparam("projected"))
    )
    last = ""
    while lines := connection.execute(missing.where(rows.c.key > last)).all():
        last = lines[-1].key
        values = [
            {"row": line.key, "projected": projection(np.frombuffer(line.parameters, "<f8"))}
            for line in lines
        ]
        connection.execute(written, values)
    for index in ("rows_by_kind", "rows_by_submission"):
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {index}")
    for made in (
        rows_by_place, rows_by_projection, submissions_by_bill, submissions_by_change,
        submissions_by_server_id, events_by_owner, runs_by_time,
    ):  # fmt: skip
        made.create(connection, checkfirst=True)


def _to_6(connection: Connection) -> None:
    """Version 5 ran every circuit in one place."""
    places.create(connection)


def _add(connection: Connection, *columns: Column[Any]) -> None:
    for column in columns:
        kind = column.type.compile(connection.dialect)
        table = column.table.name
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {column.name} {kind}")


MIGRATIONS: dict[int, Callable[[Connection], None]] = {
    2: _to_2, 3: _to_3, 4: _to_4, 5: _to_5, 6: _to_6,
}  # fmt: skip
"""The step that leads to each version from the one before it."""


def is_new(connection: Connection) -> bool:
    """Whether the database has no tables of a store."""
    return not inspect(connection).has_table(meta.name)


def ledger_of(connection: Connection) -> str | None:
    """The ledger's id; None for a new database, and for one that has to be brought up."""
    if is_new(connection):
        return None
    found = dict(connection.execute(select(meta.c.name, meta.c.value)).all())  # type: ignore[arg-type]
    return found.get(LEDGER) if found.get("schema") == str(VERSION) else None


def sign(connection: Connection, ledger: str) -> None:
    """Write down the ledger's id, if it has none yet."""
    if ledger_of(connection) is None:
        connection.execute(meta.insert().values(name=LEDGER, value=ledger))


def prepare(connection: Connection) -> None:
    """Make the tables, or bring an older store up to `VERSION`; runs in one transaction.

    Raises:
        LedgerError: The store is of a newer version, or the database is something else.
    """
    present = set(inspect(connection).get_table_names())
    if meta.name not in present:
        if clash := present & set(metadata.tables):
            raise LedgerError(
                f"the database has tables {sorted(clash)} that are not this platform's: give "
                "another one"
            )
        metadata.create_all(connection)
        connection.execute(meta.insert().values(name="schema", value=str(VERSION)))
        return
    found = connection.execute(meta.select().where(meta.c.name == "schema")).first()
    if found is None or not found.value.isdecimal() or int(found.value) < 1:
        raise LedgerError("the database is no store of this platform: it states no schema version")
    version = int(found.value)
    if version > VERSION:
        raise LedgerError(
            f"the store has schema {version}; this release reads up to {VERSION}: take a newer "
            "release"
        )
    for step in range(version + 1, VERSION + 1):
        MIGRATIONS[step](connection)
    if version < VERSION:
        connection.execute(meta.update().where(meta.c.name == "schema").values(value=str(VERSION)))
