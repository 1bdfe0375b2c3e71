"""Databases that a store can live in: SQLite and PostgreSQL, and how their URLs are shown."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from qvlm_qiskit.errors import LedgerError

BUSY_MILLISECONDS = 60_000


def open_engine(url: URL) -> Engine:
    """An engine whose transactions are safe for several processes.

    Raises:
        LedgerError: Another database, a driver that is not installed, or options it doesn't take.
    """
    try:
        # Connections that a restarted server has dropped are replaced before they are used.
        engine = create_engine(url, pool_pre_ping=url.get_backend_name() != "sqlite")
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as ex:
        raise LedgerError(f"can't use {shown(url)}: {ex}") from None
    except TypeError:
        # The driver's text repeats the options, among which may be a password.
        raise LedgerError(f"can't use {shown(url)}: an option that its driver lacks") from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_immediate)
    elif engine.dialect.name != "postgresql":
        raise LedgerError(f"a store is SQLite or PostgreSQL, not {engine.dialect.name}")
    return engine


def parsed(address: str) -> URL:
    """A database's URL.

    Raises:
        LedgerError: It can't be read; the message does not repeat it, for it may hold a password.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise LedgerError("the store's URL can't be read") from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise LedgerError(f"a store is SQLite or PostgreSQL, not {url.get_backend_name()}")
    if url.host is not None and "@" in url.host:
        raise LedgerError("the store's URL has two @: one in a password is written %40")
    if "password" in url.query:
        raise LedgerError(
            "a password stands in front of the @ of the store's URL, not behind the ?"
        )
    return url


def shown(url: URL) -> str:
    """The URL without its password, wherever that stands."""
    secret = {name: "***" for name in url.query if "pass" in name.lower()}
    return url.update_query_dict(secret).render_as_string(hide_password=True)


def alone(connection: Connection, what: str) -> None:
    """Wait until no other transaction does `what`; SQLite's are exclusive by themselves."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("select pg_advisory_xact_lock(hashtext(:what))"), {"what": f"qvlm {what}"}
        )


def _configure_sqlite(connection: Any, _: Any) -> None:
    # Transactions are begun by _begin_immediate; the driver's own BEGIN would come too late.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    _use_write_ahead_log(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _use_write_ahead_log(cursor: Any) -> None:
    """Change a new database's journal; of several that try, all but one are sent away at once.

    SQLite does not wait here: two that hold a read lock and want to write would wait for ever.
    """
    ends = time.monotonic() + BUSY_MILLISECONDS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as ex:
            if ex.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > ends:
                raise
        time.sleep(0.01)


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock first: a transaction that reads and then writes can't fail half-way."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
