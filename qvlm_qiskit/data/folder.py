"""A folder of pictures, by ``folder:FOLDER``: a subfolder for each label, or captions beside.

FOLDER/LABEL/*.png                    labels; "_" and "-" of their names are spaces
FOLDER/train/LABEL/*.png, …/test/…    with official splits
FOLDER/metadata.csv (.jsonl)          captions, answers or questions, as Hugging Face's ImageFolder;
FOLDER/train/metadata.csv, …          also in each split
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from PIL import Image

from qvlm_qiskit.data.reading.columns import LABEL_QUESTION, OPTIONS
from qvlm_qiskit.data.reading.reader import reads
from qvlm_qiskit.data.reading.rows import FilePicture, Row
from qvlm_qiskit.data.reading.splits import WHOLE, Found, Parts
from qvlm_qiskit.data.reading.tables import ENDINGS, read_table
from qvlm_qiskit.errors import InputError, UnknownNameError

_log = logging.getLogger(__name__)
_SPLITS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}


@reads("folder", takes="a folder of pictures, in a subfolder for each label or with metadata.csv",
       options=OPTIONS)  # fmt: skip
def folder(place: Path, options: Mapping[str, str]) -> Parts:
    """The pictures below a folder."""
    if not place.is_dir():
        raise InputError(f"{place} is no folder: a file of captions is read by table:{place}")
    splits = {p.name: p for p in _folders(place) if p.name.lower() in _SPLITS}
    if not splits:
        return _part(place, options, place)
    if others := [p.name for p in _folders(place) if p not in splits.values()]:
        _log.warning("%s: beside its splits, %s is not read", place, ", ".join(others))
    parts: dict[str, Callable[[], Iterable[Found]]] = {}
    for name, path in splits.items():
        found = _part(path, options, place)
        parts[name] = lambda found=found: [row for rows in found.values() for row in rows()]  # type: ignore[misc]
    return parts


def _part(path: Path, options: Mapping[str, str], root: Path) -> Parts:
    """The pictures of one split."""
    table = next((f for e in ENDINGS if (f := path / f"metadata{e}").is_file()), None)
    if table is not None:
        return read_table(table).parts(options)
    for key in options:
        if key != "ask":
            raise UnknownNameError(f"option of a folder without metadata{ENDINGS[0]}", key, ["ask"])
    found = list(_labelled(path, options.get("ask", LABEL_QUESTION), root))
    if not found:
        raise InputError(f"{path} holds no pictures in a subfolder for each label")
    return {WHOLE: lambda: found}


def _labelled(path: Path, question: str, root: Path) -> Iterator[Row]:
    endings = {e for e, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    for label in _folders(path):
        words = " ".join(label.name.replace("_", " ").replace("-", " ").split())
        for file in sorted(f for f in label.rglob("*") if f.suffix.lower() in endings):
            name = file.relative_to(root).as_posix()
            yield Row(FilePicture(file), question, (words,), kind="label", name=name)


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
