"""Published files as they lie in somebody's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qvlm_qiskit.errors import InputError


def one_file(place: Path, name: str) -> Path | None:
    """A file by its name, in a folder or in one of its subfolders."""
    return next(iter(sorted(place.rglob(name))), None) if place.is_dir() else None


def json_of(path: Path, key: str | None = None) -> Any:
    """What a JSON file holds, or what it holds under a key.

    Raises:
        InputError: It is damaged, or has no such key.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} is not readable as JSON: {error}") from error
    if key is None:
        return found
    if not isinstance(found, dict) or key not in found:
        raise InputError(f"{path} is of another format: it has no {key!r}")
    return found[key]


def lines_of(path: Path) -> list[str]:
    """The lines of a text file that are not empty.

    Raises:
        InputError: It is no text.
    """
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text: {error}") from error
