"""Outputs that appear whole or not at all: written beside their place, then renamed."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qvlm_qiskit.errors import InputError

PRIVATE = 0o600
"""The mode of a file that only its user may read."""


def write_bytes(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a file by temporary name, fsync and rename; `mode` says who may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, likewise."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write plain data as readable JSON; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def check_new_folder(path: Path, overwrite: bool) -> None:
    """Refuse an output folder that exists, before any work is done.

    Raises:
        InputError: It exists and may not be replaced, or can't be created there.
    """
    if not path.name or path.name in (".", ".."):
        raise InputError(f"{str(path)!r} names no new folder; choose another --out")
    try:
        taken = path.is_file() or path.is_symlink()
    except OSError as error:
        raise InputError(f"can't use the --out path: {error.strerror}") from error
    if taken:
        raise InputError(f"{path} is not a folder; choose another --out")
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists already; choose another --out or pass --overwrite")
    parent = next(p for p in [path.absolute().parent, *path.absolute().parents] if p.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise InputError(f"can't write to {parent}; choose another --out")


@contextmanager
def new_folder(path: Path, overwrite: bool, partial: Path | None = None) -> Iterator[Path]:
    """A folder to fill, which appears at ``path`` when the block ends without an error.

    Args:
        path: Its place.
        overwrite: Replace a folder that is there; the old one stays until the new one is whole.
        partial: Where to fill it; kept after an error, so that the work can go on. By default a
            temporary folder, removed after an error.

    Raises:
        InputError: As :func:`check_new_folder`.
    """
    check_new_folder(path, overwrite)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if partial is None:
            work = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        else:
            work = partial
            work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"can't create {path}: {error.strerror}; choose another --out") from error
    try:
        yield work
    except BaseException:
        if partial is None:
            shutil.rmtree(work, ignore_errors=True)
        raise
    work.chmod(0o755)
    if path.exists():
        old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old."))
        path.replace(old / "old")
        work.replace(path)
        shutil.rmtree(old)
    else:
        work.replace(path)
