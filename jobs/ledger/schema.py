"""The tables of a store, their version, and how older stores are brought up to it.

Times are seconds since 1970 (UTC). Every change of state goes through `jobs.ledger.store`; the
tables hold no account data, and nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
    inspect,
)

from qvlm_qiskit.errors import LedgerError

VERSION = 4

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
)
Index("submissions_by_run", submissions.c.run)
Index("submissions_by_state", submissions.c.state)

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
)
Index("rows_by_submission", rows.c.submission)
rows_by_kind = Index("rows_by_kind", rows.c.kind)

nearby = Table(
    "nearby",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("answered_by", String(64), nullable=False),
)

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


def _to_2(connection: Connection) -> None:
    """Version 1 had neither runs nor the times of requests; its submissions stay as they are."""
    metadata.create_all(connection, tables=[runs, posts])


def _to_3(connection: Connection) -> None:
    """Version 2 did not keep the rows' values; its rows are found by their keys only."""
    _add(connection, rows.c.kind, rows.c.parameters)
    rows_by_kind.create(connection)


def _to_4(connection: Connection) -> None:
    """Version 3 did not keep which row answered a nearby one, nor what a search has to wait for."""
    sent = submissions.c
    _add(connection, sent.certain_at, sent.boot, sent.boot_seconds, sent.account)
    nearby.create(connection)


def _add(connection: Connection, *columns: Column[Any]) -> None:
    for column in columns:
        kind = column.type.compile(connection.dialect)
        table = column.table.name
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {column.name} {kind}")


MIGRATIONS: dict[int, Callable[[Connection], None]] = {2: _to_2, 3: _to_3, 4: _to_4}
"""The step that leads to each version from the one before it."""


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
