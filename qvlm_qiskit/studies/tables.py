"""Rows of a study as a table: CSV, or Parquet with types."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qvlm_qiskit.basics.optional import optional
from qvlm_qiskit.errors import UnknownNameError

Row = Mapping[str, Any]

FORMATS = ("csv", "parquet")
TYPES = {bool: "bool", int: "int64", float: "float64", str: "string"}


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


def flatten(row: Row, within: str = "") -> dict[str, Any]:
    """One column per number or text; ``{"gates": {"qcnn": 0.5}}`` is the column "gates qcnn".

    Lists become JSON texts.
    """
    flat: dict[str, Any] = {}
    for key, value in row.items():
        name = f"{within} {key}".lstrip()
        if isinstance(value, Mapping):
            flat |= flatten(value, name)
        else:
            listed = isinstance(value, Sequence) and not isinstance(value, str)
            flat[name] = json.dumps(value, ensure_ascii=False) if listed else value
    return flat


@dataclass(frozen=True)
class Table:
    """Flat rows under common columns.

    Attributes:
        rows: Flat; a column that a row lacks is empty there.
        types: Columns that come first, with their types as Arrow names them. Other columns follow
            in order of appearance, with the types of their values.
    """

    rows: Sequence[Row]
    types: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, str]:
        """Name → type of every column, in order."""
        names = dict.fromkeys([*self.types, *(name for row in self.rows for name in row)])
        return {name: self.types.get(name) or self._type(name) for name in names}

    def as_csv(self) -> str:
        """The table as CSV text."""
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, list(self.columns), restval="")
        writer.writeheader()
        writer.writerows(self.rows)
        return buffer.getvalue()

    def as_parquet(self, name: str, about: Mapping[str, Any]) -> bytes:
        """The same table as a Parquet file; cells that CSV leaves empty are null.

        Args:
            name: Key of the file's metadata.
            about: Kept there as JSON.

        Raises:
            MissingDependencyError: pyarrow is not installed.
        """
        arrow = _pyarrow()
        types = self.columns
        schema = arrow.schema(
            [(column, arrow.type_for_alias(kind)) for column, kind in types.items()],
            metadata={name: json.dumps(about, ensure_ascii=False)},
        )
        values = {column: [row.get(column) for row in self.rows] for column in types}
        buffer = io.BytesIO()
        arrow.parquet.write_table(arrow.table(values, schema=schema), buffer)
        return buffer.getvalue()

    def _type(self, name: str) -> str:
        """The narrowest type of a column's values; text where they have nothing in common."""
        kinds = {type(row[name]) for row in self.rows if row.get(name) is not None}
        if kinds == {int, float}:
            return "float64"
        return TYPES.get(kinds.pop(), "string") if len(kinds) == 1 else "string"


def _pyarrow() -> Any:
    with optional("parquet", "a Parquet table", pyarrow="pyarrow"):
        import pyarrow.parquet
    return pyarrow
