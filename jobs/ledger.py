"""A folder of answered pubs.

    <ledger>/<key>/record.json   what was asked, of whom, when; the checksum of the values
    <ledger>/<key>/result.npz    the arrays evs and stds, in the pub's shape

The key is a SHA-256 in hexadecimal. An entry is written into a temporary folder beside it, every
file is flushed to the disk, and the folder is renamed: it is there completely or not at all, and of
two writers of one key the first wins. A killed writer leaves a ``.writing-*`` folder that is never
read. Nothing is pickled.

record.json holds: ``schema`` (this layout's version), ``key``, ``created_utc``, ``data_sha256`` (of
result.npz), ``shape``, and the fields that the writer gave (see `jobs.recorded`).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qvlm_qiskit.errors import LedgerError

SCHEMA = 1
RECORD, DATA = "record.json", "result.npz"
_KEY = re.compile(r"[0-9a-f]{64}")
_OWN_FIELDS = ("schema", "key", "created_utc", "data_sha256", "shape")


@dataclass(frozen=True)
class StoredResult:
    """One entry of the ledger.

    Attributes:
        record: The content of record.json.
        evs: Expectation values in the pub's shape.
        stds: Their standard errors.
    """

    record: Mapping[str, Any]
    evs: NDArray[np.float64]
    stds: NDArray[np.float64]


class Ledger:
    """The store at a path.

    Args:
        path: The folder; made when it is missing.

    Raises:
        LedgerError: The path is no folder, or can't be made.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as ex:
            raise LedgerError(f"can't use {path} as a ledger: {ex}") from ex

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and bool(_KEY.fullmatch(key)) and (self.path / key).is_dir()

    def keys(self) -> list[str]:
        """The keys of all entries, sorted."""
        return sorted(item.name for item in self.path.iterdir() if item.name in self)

    def entries(self) -> Iterator[Mapping[str, Any]]:
        """The records of all entries, by key; the values are not read.

        Raises:
            LedgerError: A record is damaged or of another version.
        """
        return (self._record(key) for key in self.keys())

    def load(self, key: str) -> StoredResult:
        """Read an entry and check its values against their checksum.

        Raises:
            LedgerError: No such entry, a missing or damaged file, or another version.
        """
        if key not in self:
            raise LedgerError(f"the ledger {self.path} has no entry {key!r}")
        record = self._record(key)
        content = self._bytes(key, DATA)
        if hashlib.sha256(content).hexdigest() != record.get("data_sha256"):
            raise self._damaged(key, f"{DATA} does not match its checksum")
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as data:
                evs, stds = np.asarray(data["evs"]), np.asarray(data["stds"])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as ex:
            raise self._damaged(key, f"{DATA} can't be read: {ex}") from ex
        if list(evs.shape) != record.get("shape") or stds.shape != evs.shape:
            raise self._damaged(key, "the arrays don't have the recorded shape")
        return StoredResult(record, evs, stds)

    def store(
        self, key: str, evs: ArrayLike, stds: ArrayLike, record: Mapping[str, Any]
    ) -> StoredResult:
        """Write an entry; an entry that is there already stays, and is returned instead.

        Args:
            key: SHA-256 in hexadecimal.
            evs: Expectation values.
            stds: Standard errors, of the same shape.
            record: Further JSON-able fields for record.json.

        Raises:
            LedgerError: A malformed key, arrays of different shapes, a field that is not
                JSON-able or is the ledger's own, or a disk that refuses.
        """
        values, errors = np.asarray(evs, dtype=np.float64), np.asarray(stds, dtype=np.float64)
        if not _KEY.fullmatch(key):
            raise LedgerError(f"{key!r} is no ledger key: a key is a SHA-256 in hexadecimal")
        if values.shape != errors.shape:
            raise LedgerError(f"evs have the shape {values.shape}, stds {errors.shape}")
        if clash := set(record) & set(_OWN_FIELDS):
            raise LedgerError(f"the record fields {sorted(clash)} are the ledger's own")
        data = _npz(values, errors)
        complete = {
            "schema": SCHEMA,
            "key": key,
            "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
            "data_sha256": hashlib.sha256(data).hexdigest(),
            "shape": list(values.shape),
            **record,
        }
        try:
            text = json.dumps(complete, indent=1, allow_nan=False, ensure_ascii=False)
        except (TypeError, ValueError) as ex:
            raise LedgerError(f"the record is not JSON-able: {ex}") from ex
        try:
            self._publish(key, {DATA: data, RECORD: text.encode()})
        except OSError as ex:
            raise LedgerError(f"can't write to the ledger {self.path}: {ex}") from ex
        return self.load(key)

    def _publish(self, key: str, files: Mapping[str, bytes]) -> None:
        staging = Path(tempfile.mkdtemp(prefix=".writing-", dir=self.path))
        try:
            for name, content in files.items():
                with (staging / name).open("wb") as handle:
                    handle.write(content)
                    handle.flush()
                    os.fsync(handle.fileno())
            _sync_folder(staging)
            try:
                staging.rename(self.path / key)
            except OSError:
                # Another writer was first; its entry counts. Anything else is a real failure.
                if key not in self:
                    raise
            _sync_folder(self.path)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _record(self, key: str) -> Mapping[str, Any]:
        try:
            record = json.loads(self._bytes(key, RECORD))
        except ValueError as ex:
            raise self._damaged(key, f"{RECORD} is no JSON: {ex}") from ex
        if not isinstance(record, dict) or record.get("key") != key:
            raise self._damaged(key, f"{RECORD} belongs to another key")
        if record.get("schema") != SCHEMA:
            raise LedgerError(
                f"ledger entry {key} has schema {record.get('schema')!r}; this release reads "
                f"{SCHEMA}"
            )
        return record

    def _bytes(self, key: str, name: str) -> bytes:
        try:
            return (self.path / key / name).read_bytes()
        except OSError as ex:
            raise self._damaged(key, f"{name} can't be read: {ex}") from ex

    def _damaged(self, key: str, why: str) -> LedgerError:
        return LedgerError(
            f"ledger entry {key} in {self.path} is damaged ({why}): move its folder away to have "
            "the pub run again"
        )


def _npz(evs: NDArray[np.float64], stds: NDArray[np.float64]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, evs=evs, stds=stds)
    return buffer.getvalue()


def _sync_folder(path: Path) -> None:
    """Flush the folder's list of names, without which a rename can be lost with the power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
