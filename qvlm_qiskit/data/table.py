"""A table of pictures, ``table:FILE`` or ``table:FOLDER``: CSV, TSV, JSON, JSON Lines or Parquet.

A folder holds one file for each split (``train.csv``, ``test.csv``; Parquet files as Hugging Face
names them, ``train-00000-of-00002.parquet``, are put together). Paths of pictures are relative to
the file. A column ``split`` keeps official splits, a column ``group`` what has to stay together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from qvlm_qiskit.data.reading.columns import OPTIONS
from qvlm_qiskit.data.reading.reader import reads
from qvlm_qiskit.data.reading.splits import Found, Parts
from qvlm_qiskit.data.reading.tables import ENDINGS, read_table
from qvlm_qiskit.errors import InputError

_SHARD = re.compile(r"-\d+(-of-\d+)?$")


@reads("table", takes="a CSV, TSV, JSON, JSONL or Parquet file, or a folder of them",
       options=OPTIONS)  # fmt: skip
def table(place: Path, options: Mapping[str, str]) -> Parts:
    """The rows of a table, or of a folder's tables by their names."""
    if place.is_file():
        return read_table(place).parts(options)
    files = sorted(path for path in place.rglob("*") if path.suffix.lower() in ENDINGS)
    if not files:
        raise InputError(f"{place} holds no table: none of its files ends in {', '.join(ENDINGS)}")
    if len(files) == 1 and _split(files[0]) not in ("train", "validation", "val", "test"):
        return read_table(files[0]).parts(options)
    shards: dict[str, list[Path]] = {}
    for path in files:
        shards.setdefault(_split(path), []).append(path)
    return {split: _joined(paths, options) for split, paths in shards.items()}


def _split(path: Path) -> str:
    """The split that a file's name says."""
    return _SHARD.sub("", path.stem).rpartition("_")[2].rpartition("-")[2].lower()


def _joined(paths: list[Path], options: Mapping[str, str]) -> Callable[[], list[Found]]:
    def rows() -> list[Found]:
        found: list[Found] = []
        for path in paths:
            parts = read_table(path).parts(options)
            found += [row for part in parts.values() for row in part()]
        return found

    return rows
