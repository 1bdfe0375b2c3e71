"""Files that are written once: packages and raw results, known by the SHA-256 of their bytes.

    <blobs>/ab/abcdef….blob

A blob is written into a temporary file beside its place, flushed to the disk, and renamed; the
folder is flushed too. So it is there completely or not at all. Reading checks the sum: a damaged
blob is never used, it is moved to <blobs>/damaged/ where it can be examined.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from qvlm_qiskit.basics.files import flush, write_bytes
from qvlm_qiskit.basics.sizes import check_size
from qvlm_qiskit.errors import LedgerError
from qvlm_qiskit.jobs.ledger.rights import rights_of

_NAME = re.compile(r"[0-9a-f]{64}")


class DamagedBlobError(LedgerError):
    """A blob whose bytes are not those that were written, or that is missing."""


class Blobs:
    """The folder of blobs.

    Args:
        folder: Made when it is missing.

    Raises:
        LedgerError: It can't be made.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.rights = rights_of(self.folder)
        try:
            self.rights.make(self.folder, parents=True)
        except OSError as ex:
            raise LedgerError(f"can't use {folder} for stored results: {ex}") from ex

    def put(self, content: bytes) -> str:
        """Write a blob, unless it is there, and return its SHA-256 in hexadecimal.

        Raises:
            LedgerError: The disk refuses.
        """
        name = _sum(content)
        path = self._path(name)
        try:
            self.rights.make(path.parent)
            if not (path.exists() and _sum(path.read_bytes()) == name):
                write_bytes(path, content, mode=self.rights.file)
            # Also for a blob that was there: its writer may have died before this.
            for folder in (path.parent, self.folder):
                flush(folder)
        except OSError as ex:
            raise LedgerError(f"can't write to {self.folder}: {ex}") from ex
        return name

    def get(self, name: str) -> bytes:
        """The bytes of a blob.

        Raises:
            DamagedBlobError: It is missing, or its bytes have changed; then it is moved away.
            TooLargeError: It has more bytes than are read.
        """
        path = self._path(name)
        try:
            check_size(f"the stored file {path}", path.stat().st_size)
            content = path.read_bytes()
        except FileNotFoundError:
            raise DamagedBlobError(f"the stored file {path} is missing") from None
        except OSError as ex:
            raise LedgerError(f"can't read the stored file {path}: {ex}") from ex
        if _sum(content) == name:
            return content
        try:
            aside = self._set_aside(path)
            if _sum(aside.read_bytes()) == name:  # mended by another process meanwhile
                return self.get(self.put(aside.read_bytes()))
        except FileNotFoundError:  # set aside by another process meanwhile
            raise DamagedBlobError(f"the stored file {path} was damaged") from None
        except OSError as ex:
            raise DamagedBlobError(
                f"the stored file {path} is damaged and can't be moved away: {ex}"
            ) from ex
        raise DamagedBlobError(f"the stored file {path} was damaged; it is kept as {aside}")

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(_NAME.fullmatch(name)) and self._path(name).is_file()

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise LedgerError(f"{name!r} is no SHA-256 in hexadecimal")
        return self.folder / name[:2] / f"{name}.blob"

    def _set_aside(self, path: Path) -> Path:
        folder = self.folder / "damaged"
        self.rights.make(folder)
        descriptor, aside = tempfile.mkstemp(prefix=f"{path.stem}-", suffix=".blob", dir=folder)
        os.close(descriptor)
        try:
            return path.replace(aside)
        except OSError:
            Path(aside).unlink()
            raise


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
