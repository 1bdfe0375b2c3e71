"""Who may read a ledger: its user alone, or a group; the database, its files and folders alike.

A folder that is open to its group and passes the group on (mode 2770) marks a ledger as a group's;
every process finds it there. All others are private.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from qvlm_qiskit.basics.files import PRIVATE
from qvlm_qiskit.errors import LedgerError


@dataclass(frozen=True)
class Rights:
    """Modes of what is made in a ledger."""

    file: int
    folder: int

    def make(self, folder: Path, *, parents: bool = False) -> None:
        """Make a folder, if it is missing; those above it keep the system's default."""
        if parents:
            folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir(mode=self.folder)
        except FileExistsError:
            if not folder.is_dir():
                raise
            return
        folder.chmod(self.folder)

    def touch(self, path: Path) -> None:
        """Make an empty file with these rights, if it is missing."""
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, self.file))
        except FileExistsError:
            return
        path.chmod(self.file)


_OWN = re.compile(r"ledger\.(sqlite.*|json)|blobs|local|records|damaged|[0-9a-f]{2}")
"""Names of what a ledger has in its folder and in that of its files."""


def stranger_in(folder: Path) -> str | None:
    """The name of something in a folder that is no part of a ledger."""
    return next((path.name for path in folder.iterdir() if not _OWN.fullmatch(path.name)), None)


PRIVATE_RIGHTS = Rights(PRIVATE, 0o700)
GROUP_RIGHTS = Rights(0o660, 0o2770)
_MARK = stat.S_ISGID | stat.S_IWGRP


def rights_of(folder: Path) -> Rights:
    """The rights of what is in a ledger's folder, or will be."""
    try:
        mode = folder.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return PRIVATE_RIGHTS
    return GROUP_RIGHTS if mode & _MARK == _MARK else PRIVATE_RIGHTS


def give_to_group(folder: Path, group: str) -> None:
    """Make a folder, with all that is in it, a group's.

    Raises:
        LedgerError: There is no such group, the system refuses, or something else lies there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (name := stranger_in(folder)) is not None:
            raise LedgerError(
                f"{folder} also holds {name}, which is no part of a ledger: a group gets a folder "
                "that holds nothing else"
            )
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, group=group)
            path.chmod(GROUP_RIGHTS.folder if path.is_dir() else GROUP_RIGHTS.file)
    except LookupError:
        raise LedgerError(f"there is no group {group!r} on this computer") from None
    except OSError as ex:
        raise LedgerError(f"can't give {folder} to the group {group!r}: {ex}") from ex


def tighten(rights: Rights, *paths: Path) -> None:
    """Give a ledger's own folders and files these rights, where they are this user's.

    A folder in which something else lies stays as it is.
    """
    for path in paths:
        if path.exists() and path.stat().st_uid == os.geteuid():
            if path.is_dir() and stranger_in(path) is not None:
                continue
            wanted = rights.folder if path.is_dir() else rights.file
            if stat.S_IMODE(path.stat().st_mode) != wanted:
                path.chmod(wanted)
