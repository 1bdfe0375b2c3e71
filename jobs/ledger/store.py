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

import json
import shutil
import tempfile
import time
import uuid
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    and_,
    case,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from qvlm_qiskit.backends.pubs.answer import PubAnswer
from qvlm_qiskit.basics import clocks
from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs.ledger import schema
from qvlm_qiskit.jobs.ledger.blobs import Blobs
from qvlm_qiskit.jobs.ledger.database import (
    alone,
    is_damaged,
    open_engine,
    open_for_reading,
    parsed,
    reading,
    saying_what_blocks,
    shown,
)
from qvlm_qiskit.jobs.ledger.journal import Journal, new_ledger_id
from qvlm_qiskit.jobs.ledger.reads import FREE, LedgerReads, chunks
from qvlm_qiskit.jobs.ledger.records import (
    Submission,
    bytes_of,
    columns_of,
    storable,
    submission_from,
)
from qvlm_qiskit.jobs.ledger.rights import give_to_group, rights_of, tighten
from qvlm_qiskit.jobs.ledger.run_states import refuse_ended
from qvlm_qiskit.jobs.ledger.states import FINAL, NEXT, State
from qvlm_qiskit.jobs.ledger.unwritable import is_unwritable, readable_address

DATABASE = "ledger.sqlite"


class _TakenError(LedgerError):
    """A unique value is in the database already."""


class LostLedgerError(LedgerError):
    """The database is empty or missing, and its files are there."""


class DamagedLedgerError(LedgerError):
    """The database's file is none, or is torn."""


class LeaseLostError(LedgerError):
    """Another worker has taken the submission over; the one that lost it must stop."""


class JobStore(LedgerReads):
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
        url, self.folder = _located(self.place, blobs)
        if "://" in self.place:
            self.place = shown(url)
        files = self.folder if "://" in self.place else self.folder / "blobs"
        if blobs is not None:
            files = Path(blobs)
        if "://" not in self.place:
            if not create and not (self.folder / DATABASE).is_file():
                raise (
                    _lost(self.place, files)
                    if Journal(files).in_use()
                    else LedgerError(f"there is no ledger at {place}")
                )
            self.read_only = is_unwritable(self.folder / DATABASE)
        if group is not None:
            for folder in {self.folder, files}:
                give_to_group(folder, group)
        if not self.read_only:
            _make(self.folder, url)
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
            with self._guarded(), engine.begin() as connection:
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
                raise _lost(self.place, self.blobs.folder)
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
            return now_in(connection)

    # Submissions -----------------------------------------------------------------------------

    def intend(self, submission: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> bool:
        """Record a submission and claim its rows, all or nothing.

        Args:
            submission: Values of its columns.
            rows: Of every row: key, pub, position, kind and parameters.

        Returns:
            False when another submission has one of the rows; then nothing was written.

        Raises:
            RunEndedError: Its run was cancelled, has failed or is done; nothing was written.
        """
        # In one order everywhere, or two claims could wait for each other's rows for ever.
        lines = [
            {**row, "submission": submission["id"]} for row in sorted(rows, key=itemgetter("key"))
        ]
        try:
            with self.transaction() as connection:
                refuse_ended(connection, submission["run"])
                _drop_free(connection, [line["key"] for line in lines])
                connection.execute(insert(schema.rows), lines)
                connection.execute(insert(schema.submissions).values(columns_of(submission)))
                _note(connection, submission["id"], State.INTENDED, "recorded", None)
        except _TakenError:
            if not self.find_rows(line["key"] for line in lines):
                raise  # not a row: nothing would be different at the next try
            return False
        return True

    def intend_again(self, submission: Mapping[str, Any]) -> bool:
        """Record a new attempt at a submission that ended without results, with the same rows.

        Returns:
            False when the earlier one still lives, has answers, or was attempted again already; or
            when it was withdrawn and others have taken some of its rows.

        Raises:
            RunEndedError: See `intend`.
        """
        table, previous = schema.rows, submission["previous"]
        ended = [state.value for state in FINAL - {State.ANSWERED}]
        with self.transaction() as connection:
            refuse_ended(connection, submission["run"])
            old = connection.execute(
                select(schema.submissions.c.state)
                .where(schema.submissions.c.id == previous)
                .with_for_update()
            ).scalar_one_or_none()
            if old not in ended:
                return False
            # locked, or another submission could take one of them meanwhile
            own = select(table.c.key).where(table.c.submission == previous).with_for_update()
            if len(connection.execute(own).all()) != submission["rows"]:
                return False
            connection.execute(
                update(table)
                .where(table.c.submission == previous)
                .values(submission=submission["id"])
            )
            connection.execute(insert(schema.submissions).values(columns_of(submission)))
            note = f"attempt {submission['attempt']}, after {previous}"
            _note(connection, submission["id"], State.INTENDED, note, None)
        return True

    # Leases and states -----------------------------------------------------------------------

    def acquire(self, identifier: str, owner: str, seconds: float) -> Submission | None:
        """Take or renew the lease of a submission; None while another worker has it.

        On the computer that took it the time since boot says when it ends, elsewhere the store's
        clock, by which no lease lasts longer from now than it was taken for.
        """
        table = schema.submissions
        with self.transaction() as connection:
            now, (booted, since) = now_in(connection), clocks.boot()
            free = or_(
                table.c.lease_owner.is_(None), table.c.lease_owner == owner, not_(_lease_lasts(now))
            )
            taken = connection.execute(
                update(table)
                .where(table.c.id == identifier, free)
                .values(
                    lease_owner=owner, lease_until=now + seconds, lease_seconds=seconds,
                    lease_boot=booted, lease_boot_until=since + seconds,
                )
            )  # fmt: skip
            if taken.rowcount != 1:
                # One that ends later than that was taken before the clock was set back.
                connection.execute(
                    update(table)
                    .where(
                        table.c.id == identifier, table.c.lease_until > now + table.c.lease_seconds
                    )
                    .values(lease_until=now + table.c.lease_seconds)
                )
                return None
            line = connection.execute(select(table).where(table.c.id == identifier)).one()
        return submission_from(line)

    def release(self, identifier: str, owner: str) -> None:
        """Give a lease back before its end."""
        table = schema.submissions
        with self.transaction() as connection:
            connection.execute(
                update(table)
                .where(table.c.id == identifier, table.c.lease_owner == owner)
                .values(lease_owner=None, lease_until=None)
            )

    def move(
        self, held: Submission, owner: str, state: State, note: str = "", **changes: Any
    ) -> Submission:
        """Change a submission's state under its lease; the history gets a line.

        Args:
            held: As it was read under the lease.
            owner: Who holds the lease.
            state: The new state; the old one changes nothing but the columns.
            note: For the history.
            **changes: Other columns.

        Raises:
            LeaseLostError: The lease has ended or is another's, or the state has changed.
            LedgerError: The new state can't follow the old one.
        """
        if state is not held.state and state not in NEXT[held.state]:
            raise LedgerError(f"a submission that is {held.state} can't become {state}")
        table = schema.submissions
        with self.transaction() as connection:
            self._write(connection, held, owner, {"state": state.value, **changes})
            _note(connection, held.id, state, note, owner)
            if state not in _FOUND_AGAIN:
                return submission_from(self.journal.keep(connection, table, held.id))
            line = connection.execute(select(table).where(table.c.id == held.id)).one()
        return submission_from(line)

    def answer(self, held: Submission, owner: str, answers: Sequence[PubAnswer]) -> Submission:
        """Write the values of all rows of a submission; they are never changed afterwards.

        Args:
            held: In the state ``stored``, as it was read under the lease.
            owner: Who holds the lease.
            answers: By pub of the package; the last axis counts the rows.

        Raises:
            LeaseLostError: See `move`.
        """
        table = schema.rows
        lines = self.rows_of(held.id)
        with self.transaction() as connection:
            now = self._write(connection, held, owner, {"state": State.ANSWERED.value})
            for line in lines:
                answer = answers[line.pub]
                written = connection.execute(
                    update(table)
                    .where(table.c.key == line.key, table.c.evs.is_(None))
                    .values(
                        evs=bytes_of(answer.evs[..., line.position]),
                        stds=bytes_of(answer.stds[..., line.position]),
                    )
                )
                if written.rowcount != 1:
                    raise LedgerError(f"row {line.key} was answered before; nothing was changed")
            for number, answer in enumerate(answers):
                connection.execute(
                    insert(schema.answers).values(
                        submission=held.id, pub=number, answered_at=now,
                        metadata=json.dumps(dict(answer.metadata), allow_nan=False),
                    )
                )  # fmt: skip
            _note(connection, held.id, State.ANSWERED, f"{len(lines)} rows answered", owner)
        return self.submission(held.id)

    def note(self, identifier: str, text: str, owner: str | None = None) -> None:
        """Add a line to a submission's history without changing it.

        What the last line says already is not repeated: a service can be away for days.
        """
        events = schema.events.c
        last = (
            select(events.note)
            .where(events.submission == identifier)
            .order_by(events.number.desc())
            .limit(1)
        )
        with self.transaction() as connection:
            if connection.execute(last).scalar_one_or_none() == storable(text):
                return
            state = connection.execute(
                select(schema.submissions.c.state).where(schema.submissions.c.id == identifier)
            ).scalar_one()
            _note(connection, identifier, State(state), text, owner)

    # -----------------------------------------------------------------------------------------

    def _write(
        self, connection: Connection, held: Submission, owner: str, changes: Mapping[str, Any]
    ) -> float:
        """Write under the lease, and return when; the clock is read when the lock is held."""
        table, now = schema.submissions, now_in(connection)
        written = connection.execute(
            update(table)
            .where(
                table.c.id == held.id,
                table.c.state == held.state.value,
                table.c.lease_owner == owner,
                _lease_lasts(now),
            )
            .values(updated_at=now, **{name: storable(value) for name, value in changes.items()})
        )
        if written.rowcount != 1:
            raise LeaseLostError(
                f"submission {held.id} is no longer this worker's: its lease has ended"
            )
        return now

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
            self._guarded(),
            self.engine.begin() as connection,
            saying_what_blocks(connection, self.place),
        ):
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads, one state of the database, without a lock."""
        with self._guarded(), reading(self.engine).begin() as connection:
            yield connection

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError as ex:
            raise _TakenError(
                f"the ledger {self.place} refuses a second value: {ex.orig}"
            ) from None
        except SQLAlchemyError as ex:
            # The text of a database error can hold the URL with its password: only its type and
            # the driver's own words are passed on.
            words = str(getattr(ex, "orig", None) or type(ex).__name__)
            if is_damaged(getattr(ex, "orig", None)):
                raise DamagedLedgerError(
                    f"the database of the ledger {self.place} is damaged ({words}): qvlm jobs "
                    "verify --rebuild makes it again from the files beside it"
                ) from None
            raise LedgerError(f"the ledger {self.place} can't be used: {words}") from None


def new_id(prefix: str) -> str:
    """A random id that is short enough to type: 48 bits."""
    return f"{prefix}{uuid.uuid4().hex[:12]}"


_FOUND_AGAIN = (State.RUNNING, State.COMPLETED)
"""States that the service tells again: no record beside the files is needed."""


def _drop_free(connection: Connection, keys: list[str]) -> None:
    """Forget those of the rows that only a withdrawn submission has asked for."""
    table = schema.rows
    for part in chunks(keys):
        connection.execute(delete(table).where(table.c.key.in_(part), table.c.submission.in_(FREE)))


def _lease_lasts(now: float) -> ColumnElement[bool]:
    """Whether a lease lasts, by the one of two clocks that nobody can set, where it says so."""
    table, (booted, since) = schema.submissions, clocks.boot()
    here = and_(table.c.lease_boot.is_not(None), table.c.lease_boot == booted)
    return case((here, table.c.lease_boot_until > since), else_=table.c.lease_until > now)


def _lost(place: str, files: Path) -> LostLedgerError:
    return LostLedgerError(
        f"the database of the ledger {place} is empty or missing, but its files are in {files}: "
        "qvlm jobs verify --rebuild makes it again from them"
    )


def _located(place: str, blobs: str | Path | None) -> tuple[URL, Path]:
    """The database of a store, and its folder.

    Raises:
        LedgerError: A database that is no ledger's, or one without a folder for its files.
    """
    if "://" not in place:
        return URL.create("sqlite", database=str(Path(place) / DATABASE)), Path(place)
    url = parsed(place)
    if blobs is None:
        raise LedgerError(
            "a store in a database needs a folder for its files (blobs=), on a disk that "
            "all its users see"
        )
    return url, Path(blobs)


def _make(folder: Path, url: URL) -> None:
    """Make a store's folder and, for SQLite, the file, with the rights of all that is in it."""
    rights = rights_of(folder)
    try:
        rights.make(folder, parents=True)
        if url.get_backend_name() == "sqlite":
            rights.touch(folder / DATABASE)
            tighten(rights, folder, folder / DATABASE, folder / "blobs")
    except OSError as ex:
        raise LedgerError(f"can't use {folder} as a ledger: {ex}") from ex


def now_in(connection: Connection) -> float:
    """The store's clock, read inside a transaction."""
    if connection.dialect.name != "postgresql":
        return time.time()
    clock = func.extract("epoch", func.clock_timestamp())
    return float(connection.execute(select(clock)).scalar_one())


def _note(
    connection: Connection, identifier: str, state: State, note: str, owner: str | None
) -> None:
    connection.execute(
        insert(schema.events).values(
            submission=identifier,
            at=now_in(connection),
            state=state.value,
            note=storable(note),
            owner=owner,
        )
    )
