"""Outputs that appear whole or not at all: written beside their place, then renamed."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from qvlm_qiskit.errors import InputError

PRIVATE = 0o600
"""The mode of a file that only its user may read."""

LOCK = ".lock"
"""The file by which a process holds a folder."""


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


def flush(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk.

    Without the list of names a rename can be lost with the power.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, likewise."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write plain data as readable JSON; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@dataclass(frozen=True)
class Contents:
    """What the folders of one kind hold. Only a folder that holds nothing else is ever replaced.

    Attributes:
        kind: What such a folder is called ("a run folder").
        mark: The file that every one of them has.
        form: What the mark, which is JSON then, states as its ``format``.
        files: Patterns of all files, below the folder; one that ends in ``**`` is of all below.
    """

    kind: str
    mark: str
    files: tuple[str, ...]
    form: str | None = None

    def check(self, path: Path) -> None:
        """Refuse to replace a folder of something else, or with something else in it.

        Raises:
            InputError: It is not one of this kind, or holds a file that none of them has.
        """
        lock = path / LOCK
        found = [p for p in path.rglob("*") if p.is_symlink() or not p.is_dir()]
        half_mark = f".{self.mark}.*"  # a killed process left it before anything else
        if all(p == lock or (p.parent == path and fnmatchcase(p.name, half_mark)) for p in found):
            return
        if not self._marked(path / self.mark):
            raise InputError(
                f"{path} is not {self.kind}, so it is not replaced; choose another --out"
            )
        for one in sorted(p.relative_to(path) for p in found if p != lock):
            if (path / one).is_symlink() or not any(_fits(one, known) for known in self.files):
                raise InputError(
                    f"{path} holds {one}, which qvlm didn't write, so it is not replaced; move "
                    "that file or choose another --out"
                )

    def _marked(self, mark: Path) -> bool:
        if self.form is None or not mark.is_file():
            return mark.is_file()
        try:
            about = json.loads(mark.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(about, dict) and about.get("format") == self.form


def _fits(path: Path, pattern: str) -> bool:
    """Whether a pattern means a path, folder by folder, or what a killed `write_bytes` left."""
    parts, wanted = path.parts, pattern.split("/")
    if wanted[-1] == "**":
        parts, wanted = parts[: len(wanted) - 1], wanted[:-1]
    if len(parts) != len(wanted):
        return False
    *folders, (name, known) = zip(parts, wanted, strict=True)
    inside = all(fnmatchcase(one, other) for one, other in folders)
    return inside and (fnmatchcase(name, known) or fnmatchcase(name, f".{known}.*"))


def check_new_folder(path: Path, overwrite: bool, holds: Contents | None = None) -> None:
    """Refuse an output folder that exists, before any work is done.

    Args:
        path: Its place.
        overwrite: It may be there already, if it is one of ours or empty.
        holds: What one of ours holds; by default none is replaced.

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
    if path.exists():
        _check_replaceable(path, overwrite, holds)
    parent = next(p for p in [path.absolute().parent, *path.absolute().parents] if p.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise InputError(f"can't write to {parent}; choose another --out")


def _check_replaceable(path: Path, overwrite: bool, holds: Contents | None) -> None:
    if not overwrite:
        raise InputError(f"{path} exists already; choose another --out or pass --overwrite")
    if holds is not None:
        holds.check(path)
    elif any(one.name != LOCK for one in path.iterdir()):
        raise InputError(f"{path} is not empty, so it is not replaced; choose another --out")


@contextmanager
def new_folder(
    path: Path, overwrite: bool, partial: Path | None = None, holds: Contents | None = None
) -> Iterator[Path]:
    """A folder to fill, which appears at ``path`` when the block ends without an error.

    Args:
        path: Its place.
        overwrite: Replace a folder of ours that is there; it stays until the new one is whole.
        partial: Where to fill it; kept after an error, so that the work can go on. By default a
            temporary folder, removed after an error.
        holds: What a folder of ours holds.

    Raises:
        InputError: As :func:`check_new_folder`, before the block. Behind it where the place was
            taken meanwhile; the message says where the new folder is then.
    """
    check_new_folder(path, overwrite, holds)
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
    try:
        if path.exists():
            _check_replaceable(path, overwrite, holds)
            _swap(work, path)
        else:
            work.replace(path)
    except (InputError, OSError) as error:
        raise InputError(f"the new folder stays at {work}: {error}") from error


def _swap(new: Path, path: Path) -> None:
    """Replace a folder; the old one is put back if that fails."""
    aside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old."))
    path.replace(aside / "old")
    try:
        new.replace(path)
    except BaseException:
        (aside / "old").replace(path)
        raise
    shutil.rmtree(aside)


@contextmanager
def only_one(folder: Path, moved_to: Path | None = None) -> Iterator[None]:
    """Hold a folder, made if need be, against other processes; an empty one goes in the end.

    Args:
        folder: Its place.
        moved_to: Where it may be in the end.

    Raises:
        InputError: Another process holds it, or it can't be held.
    """
    lock = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = lock.open("a")
    except OSError as error:
        raise InputError(f"can't use {folder}: {error.strerror}; choose another --out") from error
    with file:
        if not _hold(file.fileno(), lock):
            raise InputError(f"another process is writing to {folder}; choose another --out")
        try:
            yield
        finally:
            for place in (folder, moved_to or folder):
                (place / LOCK).unlink(missing_ok=True)
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _hold(handle: int, lock: Path) -> bool:
    """Whether this process has the lock now; not where its folder was moved away meanwhile."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(handle).st_ino == lock.stat().st_ino
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError as error:
        raise InputError(f"can't lock {lock}: {error.strerror}; choose another --out") from error


PLOTS = (".png", ".svg", ".pdf")
"""Suffixes of files that a plot is drawn into."""


def check_plot(path: Path) -> None:
    """Refuse a file that can't hold a plot, or a folder that is not there.

    Raises:
        InputError: Such a file.
    """
    if path.suffix.lower() not in PLOTS:
        raise InputError(f"a plot is a file {', '.join(PLOTS)}, got {path}")
    if not path.absolute().parent.is_dir():
        raise InputError(
            f"a plot is a file in a folder: there is no folder {path.absolute().parent}"
        )
