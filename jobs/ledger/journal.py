"""What a ledger leaves beside its blobs, so that a lost database is noticed and made again.

    <blobs>/ledger.json              whose files these are
    <blobs>/records/ab/s-ab….json    the columns of a submission that was sent, or may have been
    <blobs>/records/ab/r-ab….json    a run's request, state and result

A record is on disk before the transaction that it belongs to ends, under that transaction's lock.
One of a crash can therefore be ahead of the database by a step. It is behind only in what the
service says again: that an accepted job runs.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from qvlm_qiskit.basics.files import write_bytes
from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs.ledger.ids import checked_id
from qvlm_qiskit.jobs.ledger.rights import rights_of

FORMAT = 1
MARK = "ledger.json"


class Journal:
    """The records beside a ledger's blobs.

    Args:
        folder: The folder of the blobs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rights = rights_of(folder)

    def ledger(self) -> str | None:
        """The id of the ledger whose files these are; None before there is one.

        Raises:
            LedgerError: The mark can't be read.
        """
        try:
            about = json.loads((self.folder / MARK).read_bytes())
            if about["format"] != FORMAT:
                raise LedgerError(
                    f"{self.folder / MARK} has the format {about['format']!r}; this release reads "
                    f"{FORMAT}"
                )
            return checked_id("ledger", about["ledger"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as ex:
            raise LedgerError(f"can't read {self.folder / MARK}: {ex}") from ex

    def mark(self, ledger: str) -> None:
        """Say whose files these are."""
        self._write(self.folder / MARK, {"format": FORMAT, "ledger": ledger})

    def in_use(self) -> bool:
        """Whether a ledger has left anything here that a new one must not ignore."""
        patterns = ("[0-9a-f][0-9a-f]/*.blob", "records/*/*.json")
        return any(True for pattern in patterns for _ in self.folder.glob(pattern))

    def keep(self, connection: Connection, table: Table, identifier: str) -> Row[Any]:
        """Write the record of a line, or replace it, as the transaction leaves the line.

        Returns:
            The line.

        Raises:
            LedgerError: The disk refuses.
        """
        line = connection.execute(select(table).where(table.c.id == identifier)).one()
        # SQLAlchemy's public name of a row's mapping
        self._write(self._path(identifier), dict(line._mapping))  # noqa: SLF001
        return line

    def records(self, kind: str) -> Iterator[dict[str, Any]]:
        """All records whose id begins with "s-" or "r-".

        Raises:
            LedgerError: One can't be read.
        """
        for path in self._files():
            if path.name.startswith(kind):
                try:
                    yield dict(json.loads(path.read_bytes()))
                except (OSError, ValueError, TypeError) as ex:
                    raise LedgerError(f"can't read {path}: {ex}") from ex

    def _files(self) -> Iterator[Path]:
        return iter(sorted(self.folder.glob("records/*/*.json")))

    def _path(self, identifier: str) -> Path:
        name = checked_id("record", identifier)
        return self.folder / "records" / name[2:4].ljust(2, "_") / f"{name}.json"

    def _write(self, path: Path, content: Mapping[str, Any]) -> None:
        try:
            for folder in (self.folder / "records", path.parent):
                self.rights.make(folder)
            write_bytes(path, json.dumps(dict(content)).encode(), mode=self.rights.file)
        except OSError as ex:
            raise LedgerError(f"can't write to {self.folder}: {ex}") from ex


def new_ledger_id() -> str:
    """A random id."""
    return f"l-{uuid.uuid4().hex}"
