"""Databases that a store can live in: SQLite and PostgreSQL, and how their URLs are shown."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError

from qvlm_qiskit.basics.computer.clocks import unless_done
from qvlm_qiskit.errors import LedgerError

BUSY_SECONDS = 60.0
SAID_AFTER_SECONDS = 5.0
"""Who waits for longer says so, once per wait."""
logger = logging.getLogger(__name__)


class TakenError(LedgerError):
    """A unique value is in the database already."""


class DamagedLedgerError(LedgerError):
    """The database's file is none, or is torn."""


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
        event.listen(engine, "begin", _begin_sqlite)
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


def open_for_reading(address: str) -> Engine:
    """An engine on an SQLite database that nothing is written to.

    Args:
        address: A ``file:`` URI.
    """

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, check_same_thread=False)

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)
    event.listen(engine, "connect", _no_begin_of_its_own)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def reading(engine: Engine) -> Engine:
    """The same engine, whose transactions read one state and take no lock."""
    return engine.execution_options(reads=True)


@contextmanager
def guarded(place: str) -> Iterator[None]:
    """Name the ledger in what a database raises.

    Args:
        place: What the ledger is called.

    Raises:
        TakenError: A second value where there may be one.
        DamagedLedgerError: The database's file is damaged.
        LedgerError: Anything else.
    """
    try:
        yield
    except IntegrityError as ex:
        raise TakenError(f"the ledger {place} refuses a second value: {ex.orig}") from None
    except SQLAlchemyError as ex:
        # The text of a database error can hold the URL with its password: only its type and
        # the driver's own words are passed on.
        words = str(getattr(ex, "orig", None) or type(ex).__name__)
        if is_damaged(getattr(ex, "orig", None)):
            raise DamagedLedgerError(
                f"the database of the ledger {place} is damaged ({words}): qvlm jobs "
                "verify --rebuild makes it again from the files beside it"
            ) from None
        raise LedgerError(f"the ledger {place} can't be used: {words}") from None


@contextmanager
def saying_what_blocks(connection: Connection, place: str) -> Iterator[None]:
    """Say on PostgreSQL who is waited for, if a transaction waits for another one's locks.

    SQLite's transactions wait at their beginning only, and say so there.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    own = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
    say = partial(_say_blockers, connection.engine, own, place)
    with unless_done(SAID_AFTER_SECONDS, say):
        yield


def _say_blockers(engine: Engine, own: int, place: str) -> None:
    query = text(
        "select pid, application_name, state from pg_stat_activity "
        "where pid = any(pg_blocking_pids(:own))"
    )
    with engine.connect() as connection:
        for line in connection.execute(query, {"own": own}):
            name = f"{line.application_name or 'a client'} with the process {line.pid}"
            logger.warning("waiting for the ledger %s: %s holds a lock of it", place, name)


def _configure_sqlite(connection: Any, record: Any) -> None:
    _no_begin_of_its_own(connection, record)
    cursor = connection.cursor()
    _use_write_ahead_log(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _no_begin_of_its_own(connection: Any, _: Any) -> None:
    # Transactions are begun by _begin_sqlite; the driver's own BEGIN would come too late.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={SAID_AFTER_SECONDS * 1000:.0f}")


def _use_write_ahead_log(cursor: Any) -> None:
    """Change a new database's journal; of several that try, all but one are sent away at once.

    SQLite does not wait here: two that hold a read lock and want to write would wait for ever.
    """
    ends = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as ex:
            if not _is_busy(ex) or time.monotonic() > ends:
                raise
        time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock first: a transaction that reads and then writes can't fail half-way.

    One that only reads takes no lock, and sees one state of the database until it ends.

    Raises:
        LedgerError: Another process held the lock all the time.
    """
    database: Any = connection.connection.driver_connection
    reads = connection.get_execution_options().get("reads", False)
    ends, said = time.monotonic() + BUSY_SECONDS, False
    while True:
        try:
            database.execute("BEGIN" if reads else "BEGIN IMMEDIATE")
            if reads:
                database.execute("SELECT 1 FROM sqlite_master LIMIT 1")
            return
        except sqlite3.OperationalError as ex:
            if database.in_transaction:
                database.execute("ROLLBACK")
            if not _is_busy(ex):
                raise
            place = database.execute("PRAGMA database_list").fetchone()[2]
            who = writer_of(place)
            if time.monotonic() > ends:
                raise LedgerError(
                    f"the ledger {place} is busy: {who} has been writing for {BUSY_SECONDS:.0f} s"
                ) from None
            if not said:
                logger.warning("waiting for the ledger %s: %s is writing in it", place, who)
                said = True


def writer_of(place: str) -> str:
    """The process that holds an SQLite database's write lock, as far as Linux tells."""
    try:
        wanted = str(Path(f"{place}-shm").stat().st_ino)
        locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
        for fields in map(str.split, locks):
            inode, first = fields[5].rpartition(":")[2], fields[6]
            if fields[3] == "WRITE" and inode == wanted and first == _WRITE_LOCK:
                command = Path(f"/proc/{fields[4]}/cmdline").read_bytes().split(b"\0")
                words = b" ".join(command).decode("utf-8", "replace").strip()
                return f"process {fields[4]} ({words[:60]})"
    except (OSError, IndexError):
        return "another process"
    return "another process"


_WRITE_LOCK = "120"
"""The byte of the shared-memory file that SQLite locks for a writer (its WAL-index format)."""


def is_damaged(ex: BaseException | None) -> bool:
    """Whether an SQLite file is no database, or a torn one."""
    code = getattr(ex, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _is_busy(ex: sqlite3.OperationalError) -> bool:
    return ex.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
