"""A study's folder: its options, digests of the data it has read, a line per finished cell."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qvlm_qiskit.basics.files import LOCK, write_json, write_text
from qvlm_qiskit.errors import InputError

Row = dict[str, Any]
Digests = Mapping[str, Mapping[str, str]]
"""Data set → which samples of it → their digest."""
DATA = "data.json"
"""The file of what a study has read."""
FORMAT = re.compile(r"qvlm-(.+)-study")
"""Of every study's files, with its name."""


class StudyFolder:
    """The rows that earlier runs of a study left, and the place of new ones.

    Nothing is written before :meth:`begin`.

    Args:
        path: The folder; there may be none yet.
        header: Format and version, the same in all folders of a study.
        options: What the study is asked for, as plain data.
        grows: Names of options that may differ from those that the folder was begun with.

    Attributes:
        rows: Finished cells by key.
        digests: Of what was read for them.

    Raises:
        InputError: A folder of something else, of another version or with other options, or a
            damaged file.
    """

    def __init__(
        self,
        path: Path,
        header: Mapping[str, Any],
        options: Mapping[str, Any],
        grows: frozenset[str] = frozenset(),
    ) -> None:
        self.path = path
        self._record = {**header, **options}
        self._lines = path / "rows.jsonl"
        if path.exists() and (not path.is_dir() or any(p.name != LOCK for p in path.iterdir())):
            self._check(header, set(options) - grows)
        self._whole, self.rows = self._read()
        self.digests = self._read_digests()
        self._begun = False

    def begin(self) -> None:
        """Make the folder, and write down what is asked for and what was read for it."""
        self._begun = True
        self.path.mkdir(parents=True, exist_ok=True)
        if self._lines.is_file() and self._lines.stat().st_size > len(self._whole):
            write_text(self._lines, self._whole.decode())  # the last line was not finished
        write_json(self.path / "grid.json", self._record)
        self._write_digests()

    def hold_to(self, read: Digests) -> None:
        """Refuse data that is not what it was when this study read it first.

        Args:
            read: What has been read now; what is new is kept, when the study has begun.

        Raises:
            InputError: Something has changed since.
        """
        before = json.dumps(self.digests)
        for data, samples in read.items():
            noted = self.digests.setdefault(data, {})
            for which, digest in samples.items():
                if noted.setdefault(which, digest) != digest:
                    raise InputError(
                        f"{data} has changed since {self.path} was begun ({which}): choose "
                        "another --out"
                    )
        if self._begun and json.dumps(self.digests) != before:
            self._write_digests()

    def add(self, row: Row) -> None:
        """Append a finished cell, safe on disk before this returns.

        Raises:
            InputError: The row is not plain data, or has a NaN or an infinity.
        """
        try:
            line = json.dumps(row, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"the row of cell {row['key']} is not JSON: {error}") from error
        with self._lines.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.rows[row["key"]] = row

    def _check(self, header: Mapping[str, Any], fixed: set[str]) -> None:
        try:
            found = json.loads((self.path / "grid.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self.path} is not a study's folder; choose another --out"
            ) from error
        there = found.get("format") if isinstance(found, dict) else None
        if there != header["format"]:
            what = "not a study's folder"
            if isinstance(there, str) and (named := FORMAT.fullmatch(there)):
                what = f"the folder of the study {named[1]}"
            raise InputError(f"{self.path} is {what}; choose another --out")
        if found.get("version") != header["version"]:
            raise InputError(
                f"{self.path} is a study of version {found.get('version')}, not {header['version']}"
            )
        asked = json.loads(json.dumps(self._record))
        for name in sorted(fixed):
            if found.get(name) != asked[name]:
                raise InputError(
                    f"{self.path} was begun with {name} = {found.get(name)!r}, not "
                    f"{asked[name]!r}; choose another --out"
                )

    def _write_digests(self) -> None:
        if self.digests:
            write_json(self.path / DATA, self.digests)

    def _read_digests(self) -> dict[str, dict[str, str]]:
        path = self.path / DATA
        if not path.is_file():
            return {}
        try:
            return {data: dict(found) for data, found in json.loads(path.read_bytes()).items()}
        except (ValueError, AttributeError, TypeError) as error:
            raise InputError(f"{path} is damaged: {error}") from error

    def _read(self) -> tuple[bytes, dict[str, Row]]:
        """The whole lines and their rows by key."""
        if not self._lines.is_file():
            return b"", {}
        content = self._lines.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        rows: dict[str, Row] = {}
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                row = json.loads(line)
                rows[row["key"]] = row
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{self._lines} is damaged at line {number}") from error
        return whole, rows
