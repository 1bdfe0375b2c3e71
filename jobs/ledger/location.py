"""Where a ledger lies: its database, its folder, and what is said where they have come apart."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL

from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs.ledger.database import parsed
from qvlm_qiskit.jobs.ledger.rights import rights_of, tighten

DATABASE = "ledger.sqlite"


class LostLedgerError(LedgerError):
    """The database is empty or missing, and its files are there."""


def lost(place: str, files: Path) -> LostLedgerError:
    """What is raised where the files of a ledger are there and its database is not."""
    return LostLedgerError(
        f"the database of the ledger {place} is empty or missing, but its files are in {files}: "
        "qvlm jobs verify --rebuild makes it again from them"
    )


def located(place: str, blobs: str | Path | None) -> tuple[URL, Path]:
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


def make(folder: Path, url: URL) -> None:
    """Make a store's folder and, for SQLite, the file, with the rights of all that is in it."""
    rights = rights_of(folder)
    try:
        rights.make(folder, parents=True)
        if url.get_backend_name() == "sqlite":
            rights.touch(folder / DATABASE)
            tighten(rights, folder, folder / DATABASE, folder / "blobs")
    except OSError as ex:
        raise LedgerError(f"can't use {folder} as a ledger: {ex}") from ex
