"""Rows of a noise study as a table: CSV, or Parquet with types."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from qvlm_qiskit.errors import MissingDependencyError, UnknownNameError

Row = Mapping[str, Any]

FORMATS = ("csv", "parquet")
COLUMNS = {
    "key": "string",
    "run": "string",
    "kind": "string",
    "blocks": "string",
    "seed": "int64",
    "trained_at": "float64",
    "device": "string",
    "strength": "float64",
    "mitigation": "string",
    "shots": "int64",
    "correct": "int64",
    "total": "int64",
    "accuracy": "float64",
    "low": "float64",
    "high": "float64",
    "loss": "float64",
    "seconds": "float64",
}
"""Columns that every study has, with their types as Arrow names them."""


def check_format(name: str) -> None:
    """Refuse a table that can't be written, before any work is done.

    Raises:
        UnknownNameError: Neither "csv" nor "parquet".
        MissingDependencyError: Parquet without pyarrow.
    """
    if name not in FORMATS:
        raise UnknownNameError("format", name, FORMATS)
    if name == "parquet":
        _pyarrow()


def as_csv(rows: Sequence[Row]) -> str:
    """The rows as a table: one column per number, blocks and gates spelled out."""
    names, flat = _flattened(rows)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names, restval="")
    writer.writeheader()
    writer.writerows(flat)
    return buffer.getvalue()


def as_parquet(rows: Sequence[Row], grid: Mapping[str, Any]) -> bytes:
    """The same table as a Parquet file; cells that CSV leaves empty are null.

    Args:
        rows: The study's.
        grid: Kept as JSON in the file's metadata under ``qvlm-noise-study``.

    Raises:
        MissingDependencyError: pyarrow is not installed.
    """
    arrow = _pyarrow()
    names, flat = _flattened(rows)
    types = {name: COLUMNS.get(name, _type_of_block(name)) for name in names}
    schema = arrow.schema(
        [(name, arrow.type_for_alias(types[name])) for name in names],
        metadata={"qvlm-noise-study": json.dumps(grid, ensure_ascii=False)},
    )
    columns = [[row.get(name) for row in flat] for name in names]
    table = arrow.table(dict(zip(names, columns, strict=True)), schema=schema)
    buffer = io.BytesIO()
    arrow.parquet.write_table(table, buffer)
    return buffer.getvalue()


def _flattened(rows: Sequence[Row]) -> tuple[list[str], list[dict[str, Any]]]:
    """All columns in order, and every row with those that it has."""
    flat = [_flat(row) for row in rows]
    names = list(COLUMNS)
    for row in flat:
        names += [name for name in row if name not in names]
    return names, flat


def _flat(row: Row) -> dict[str, Any]:
    flat = {name: row[name] for name in COLUMNS}
    for entry in row["expectations"]:
        flat |= {f"{name} {entry['block']}": entry[name] for name in ("rows", "rms", "bias")}
    return flat | {f"gate {name}": value for name, value in row["gates"].items()}


def _type_of_block(name: str) -> str:
    return "int64" if name.startswith("rows ") else "float64"


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingDependencyError("pyarrow", "parquet", "a Parquet table") from error
    return pyarrow
