"""The ledger: submissions, the rows that they buy, and their answers, in a database and files.

    JobStore("runs/demo/jobs")              SQLite (WAL, synchronous FULL) and blobs in this folder
    JobStore("postgresql+psycopg://…", blobs="/shared/folder")      several machines on one ledger

Guarantees that everything else rests on:

- A row (one set of parameter values of one circuit with its observables, on one machine) belongs
  to at most one living submission: the primary key of ``rows`` decides, in the transaction that
  also writes the submission.
- A submission changes its state only by `move`, which compares the state, the owner and the
  lease's end in the same statement that writes: of two workers one wins.
- What was answered is never changed.
- Nothing is recorded for a run that has ended. The rows of a withdrawn submission, of which surely
  nothing was sent, are free for the next one that asks for them.
"""

from __future__ import annotations

import shutil
import tempfile
import time
import uuid
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, select
from sqlalchemy.engine import URL

from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs.ledger import history, schema
from qvlm_qiskit.jobs.ledger.blobs import Blobs
from qvlm_qiskit.jobs.ledger.claims import LedgerClaims
from qvlm_qiskit.jobs.ledger.database import (
    alone,
    guarded,
    open_engine,
    open_for_reading,
    reading,
    saying_what_blocks,
    shown,
)
from qvlm_qiskit.jobs.ledger.journal import Journal, new_ledger_id
from qvlm_qiskit.jobs.ledger.leases import LedgerLeases
from qvlm_qiskit.jobs.ledger.location import DATABASE, located, lost, make
from qvlm_qiskit.jobs.ledger.rights import give_to_group
from qvlm_qiskit.jobs.ledger.unwritable import is_unwritable, readable_address


class JobStore(LedgerClaims, LedgerLeases):
    """A ledger that several processes may use at once.

    Args:
        place: A folder, made when it is missing; or a SQLAlchemy URL.
        blobs: The folder of files; by default inside the folder. A URL needs one that all
            machines see.
        create: False refuses a folder without a ledger.
        group: Name of a group that may use the ledger, too; by default it is the user's alone, or
            as it was made.
        rebuilding: Take files beside an empty database for its own, see `jobs.rebuild`.

    Attributes:
        read_only: Whether the place can't be written to; then the ledger can only be looked at.

    Raises:
        LostLedgerError: The database is empty, but a ledger's files are there.
        LedgerError: A place that can't be used, a store of a newer version, or no store at all.
    """

    def __init__(
        self,
        place: str | Path,
        blobs: str | Path | None = None,
        *,
        create: bool = True,
        group: str | None = None,
        rebuilding: bool = False,
    ) -> None:
        self.place, self.read_only = str(place), False
        url, self.folder = located(self.place, blobs)
        if "://" in self.place:
            self.place = shown(url)
        files = self.folder if "://" in self.place else self.folder / "blobs"
        if blobs is not None:
            files = Path(blobs)
        if "://" not in self.place:
            if not create and not (self.folder / DATABASE).is_file():
                raise (
                    lost(self.place, files)
                    if Journal(files).in_use()
                    else LedgerError(f"there is no ledger at {place}")
                )
            self.read_only = is_unwritable(self.folder / DATABASE)
        if group is not None:
            for folder in {self.folder, files}:
                give_to_group(folder, group)
        if not self.read_only:
            make(self.folder, url)
        self.blobs = Blobs(files)
        self.journal = Journal(self.blobs.folder)
        self.engine = self._opened(url)
        try:
            self._prepare(rebuilding)
        except LedgerError:
            self.close()
            raise

    def _opened(self, url: URL) -> Engine:
        if not self.read_only:
            return open_engine(url)
        work = tempfile.mkdtemp(prefix="qvlm-ledger-")
        weakref.finalize(self, shutil.rmtree, work, ignore_errors=True)
        address, copied = readable_address(self.folder / DATABASE, schema.VERSION, Path(work))
        engine = open_for_reading(address)
        if copied:
            with guarded(self.place), engine.begin() as connection:
                schema.prepare(connection)
        return engine

    def _prepare(self, rebuilding: bool) -> None:
        """Make the tables or bring them up, and sign the files; nothing where all is as it was."""
        with self.reading() as connection:
            known = schema.ledger_of(connection)
        there = self.journal.ledger()
        if known is not None and there not in (None, known):
            raise LedgerError(
                f"the files in {self.blobs.folder} are those of another ledger than {self.place}"
            )
        if self.read_only or (known is not None and there is not None):
            return
        with self.transaction() as connection:
            alone(connection, "schema")
            if schema.is_new(connection) and not rebuilding and self.journal.in_use():
                raise lost(self.place, self.blobs.folder)
            schema.prepare(connection)
            self._sign(connection)

    def _sign(self, connection: Connection) -> None:
        """Leave the mark beside the files, and what an older release has not recorded there."""
        there = self.journal.ledger()
        ledger = schema.ledger_of(connection) or there or new_ledger_id()
        if there is None:
            for table in (schema.submissions, schema.runs):
                for name in connection.execute(select(table.c.id)).scalars().all():
                    self.journal.keep(connection, table, name)
            self.journal.mark(ledger)
        schema.sign(connection, ledger)

    def close(self) -> None:
        """Give the database's connections back."""
        self.engine.dispose()

    def now(self) -> float:
        """Seconds since 1970 by the clock that all users of the store share."""
        if self.engine.dialect.name != "postgresql":
            return time.time()
        with self.reading() as connection:
            return history.now_in(connection)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A database transaction; on SQLite it has the write lock from its beginning.

        Raises:
            LedgerError: The ledger is read-only, or can't be used.
        """
        if self.read_only:
            raise LedgerError(
                f"the ledger {self.place} can't be written to: it can be listed, shown and verified"
            )
        with (
            guarded(self.place),
            self.engine.begin() as connection,
            saying_what_blocks(connection, self.place),
        ):
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads, one state of the database, without a lock."""
        with guarded(self.place), reading(self.engine).begin() as connection:
            yield connection


def new_id(prefix: str) -> str:
    """A random id that is short enough to type: 48 bits."""
    return f"{prefix}{uuid.uuid4().hex[:12]}"
