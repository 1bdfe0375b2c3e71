"""Tables → rows: CSV, JSON and Parquet files, and whatever else has cells by column."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qvlm_qiskit.basics.computer.memory import memory_bytes
from qvlm_qiskit.basics.optional import optional
from qvlm_qiskit.data.reading.columns import Columns
from qvlm_qiskit.data.reading.rows import FilePicture, Picture, Row, StoredPicture
from qvlm_qiskit.data.reading.splits import WHOLE, Parts
from qvlm_qiskit.errors import CapacityError, InputError

Cells = Mapping[str, Any]
ENDINGS = (".csv", ".tsv", ".jsonl", ".json", ".parquet")


@dataclass(frozen=True)
class Table:
    """A table in memory; its pictures are bytes of files, or paths.

    Attributes:
        name: Of its file, for messages.
        columns: Names of its columns.
        cells: Its rows.
        folder: Where relative paths of pictures begin.
    """

    name: str
    columns: Sequence[str]
    cells: Sequence[Cells]
    folder: Path

    def parts(self, named: Mapping[str, str]) -> Parts:
        """Its rows by official split; all in one part where no column says it.

        Args:
            named: What a column holds → its name; see `Columns`.

        Raises:
            InputError: A column is not there.
        """
        columns = Columns.of(self.columns, named, self.name)
        if columns.split is None:
            return {WHOLE: lambda: self._rows(columns, None)}
        splits = dict.fromkeys(str(cells[columns.split]) for cells in self.cells)
        return {split: lambda split=split: self._rows(columns, split) for split in splits}  # type: ignore[misc]

    def _rows(self, columns: Columns, split: str | None) -> Iterator[Row]:
        for number, cells in enumerate(self.cells, 1):
            if split is None or str(cells[str(columns.split)]) == split:
                name, picture = picture_of(cells[columns.image], self.folder)
                yield row_of(cells, columns, picture, f"{self.name}, row {number}{name}")


def row_of(cells: Cells, columns: Columns, picture: Picture, name: str) -> Row:
    """A row of a table."""
    question, answers, references = columns.words(cells)
    kind, group = columns.kind_of(cells), columns.group_of(cells)
    return Row(picture, question, answers, references, kind, name, group)


def read_table(path: Path) -> Table:
    """A table by its file's ending.

    Raises:
        InputError: It is none of those, empty, or damaged.
        CapacityError: It is larger than the memory.
        MissingDependencyError: Parquet without pyarrow.
    """
    readers = {
        ".csv": _csv, ".tsv": _csv, ".jsonl": _jsonl, ".json": _json, ".parquet": _parquet,
    }  # fmt: skip
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path} is no table: its name ends in none of {', '.join(ENDINGS)}")
    size, there = path.stat().st_size, memory_bytes()
    if 2 * size > there:
        raise CapacityError(
            f"{path} has {size / 2**30:.1f} GiB, and a table is read whole: this machine's memory "
            f"is {there / 2**30:.1f} GiB"
        )
    try:
        columns, cells = reader(path)
    except (UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
        raise InputError(f"{path} is a damaged table: {error}") from error
    if not cells:
        raise InputError(f"{path} has no rows")
    return Table(path.name, columns, cells, path.parent)


def _csv(path: Path) -> tuple[list[str], list[Cells]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        cells: list[Cells] = list(reader)
        return list(reader.fieldnames or ()), cells


def _jsonl(path: Path) -> tuple[list[str], list[Cells]]:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return _objects(path, [json.loads(line) for line in lines if line.strip()])


def _json(path: Path) -> tuple[list[str], list[Cells]]:
    """A list of objects, or one object that holds it under some key."""
    found = json.loads(path.read_text(encoding="utf-8-sig"))
    if isinstance(found, dict):
        lists = [value for value in found.values() if isinstance(value, list)]
        if len(lists) != 1:
            raise InputError(f"{path} is no table: a list of objects is one, {len(lists)} are not")
        found = lists[0]
    return _objects(path, found)


def _objects(path: Path, found: Any) -> tuple[list[str], list[Cells]]:
    if not isinstance(found, list) or not all(isinstance(cells, dict) for cells in found):
        raise InputError(f"{path} is no table: it does not hold objects")
    columns = list(dict.fromkeys(key for cells in found for key in cells))
    return columns, [{key: cells.get(key) for key in columns} for cells in found]


def _parquet(path: Path) -> tuple[list[str], list[Cells]]:
    with optional("parquet", "a Parquet table", pyarrow="pyarrow"):
        import pyarrow
        import pyarrow.parquet as parquet
    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path} is a damaged table: {error}") from error
    names = class_names((table.schema.metadata or {}).get(b"huggingface"))
    cells = table.to_pylist()
    for column, labels in names.items():
        for row in cells:
            if row[column] is not None:
                row[column] = labels[row[column]]
    return table.column_names, cells


def class_names(metadata: bytes | None) -> dict[str, list[str]]:
    """Column → names of its classes, as Hugging Face's Parquet files tell them."""
    features = json.loads(metadata or b"{}").get("info", {}).get("features", {})
    return {
        column: feature["names"]
        for column, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
    }


def picture_of(cell: Any, folder: Path) -> tuple[str, Picture]:
    """The picture of a cell, and what its row's name says of it."""
    if isinstance(cell, dict):
        path = cell.get("path")
        if cell.get("bytes") is not None:
            return (f" ({path})" if path else ""), StoredPicture(cell["bytes"])
        cell = path
    if isinstance(cell, bytes):
        return "", StoredPicture(cell)
    if not cell or not isinstance(cell, str):
        return "", StoredPicture(None)
    return f" ({cell})", FilePicture(folder / cell)
