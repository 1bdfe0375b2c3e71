"""Ledgers that can't be written to: on a read-only disk, in an archive, or another user's.

They are opened as they are where SQLite can do that. It can't where a process has left something
behind that has to be written into the database first, or where the ledger is of an older version:
then a copy in a temporary folder is read.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from qvlm_qiskit.errors import LedgerError


def is_unwritable(database: Path) -> bool:
    """Whether SQLite could write neither the database nor its journal beside it."""
    if not database.exists():
        return False
    return not (os.access(database, os.W_OK) and os.access(database.parent, os.W_OK))


def readable_address(database: Path, version: int, work: Path) -> tuple[str, bool]:
    """A ``file:`` URI of the database, or of a copy of it.

    Args:
        database: The file.
        version: The version of the tables that is read without a copy.
        work: An empty folder for the copy.

    Returns:
        The URI, and whether it is that of a copy, which may be written to.

    Raises:
        LedgerError: It can't be read.
    """
    file = quote(str(database.absolute()))
    journal, index = (Path(f"{database}{ending}") for ending in ("-wal", "-shm"))
    left = journal.exists() and journal.stat().st_size > 0
    if left and not index.exists():
        return _copied(database, work), True
    address = f"file:{file}?mode=ro" if left else f"file:{file}?mode=ro&immutable=1"
    try:
        found = _version(address)
        if found is None:
            raise LedgerError(f"there is no ledger in {database}")
        if found == version:
            return address, False
    except sqlite3.OperationalError:
        if not left:
            raise LedgerError(f"the ledger {database} can't be read") from None
        return _copied(database, work), True
    except sqlite3.DatabaseError as ex:
        raise LedgerError(f"the ledger {database} can't be read: {ex}") from None
    return _saved(address, work / database.name), True


def _version(address: str) -> int | None:
    """The version of the tables; None where they don't say."""
    with closing(sqlite3.connect(address, uri=True)) as opened:
        if not opened.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            return None
        found = opened.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    return int(found[0]) if found and found[0].isdecimal() else None


def _copied(database: Path, work: Path) -> str:
    for path in (database, Path(f"{database}-wal")):
        shutil.copyfile(path, work / path.name)
    return f"file:{quote(str(work / database.name))}"


def _saved(address: str, copy: Path) -> str:
    with (
        closing(sqlite3.connect(address, uri=True)) as opened,
        closing(sqlite3.connect(copy)) as saved,
    ):
        opened.backup(saved)
    return f"file:{quote(str(copy))}"
