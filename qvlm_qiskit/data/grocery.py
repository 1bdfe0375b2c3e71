"""The Grocery Store data set (Klasson et al. 2019), by ``grocery:FOLDER``, its ``dataset`` folder.

FOLDER/classes.csv; FOLDER/train.txt, val.txt, test.txt with lines ``path, fine, coarse``. Two
questions about each photograph: which product, and which kind of product it is.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from qvlm_qiskit.data.reading.files import lines_of, one_file
from qvlm_qiskit.data.reading.reader import reads
from qvlm_qiskit.data.reading.rows import BadRow, FilePicture, Row
from qvlm_qiskit.data.reading.splits import Found, Parts
from qvlm_qiskit.errors import InputError

QUESTIONS = {"fine": "which product is this?", "coarse": "what kind of product is this?"}
_NAME, _ID, _COARSE, _COARSE_ID = range(4)


@reads("grocery", takes="the dataset folder of the Grocery Store data set", options=("kinds",))
def grocery(place: Path, options: Mapping[str, str]) -> Parts:
    """The photographs of the official parts; ``kinds=coarse`` asks one of the questions only."""
    kinds = options.get("kinds", "fine coarse").split()
    for kind in kinds:
        if kind not in QUESTIONS:
            raise InputError(f"kinds of grocery are {' and '.join(QUESTIONS)}, got {kind!r}")
    classes = one_file(place, "classes.csv")
    files = {s: f for s in ("train", "val", "test") if (f := place / f"{s}.txt").is_file()}
    if classes is None or not files:
        raise InputError(f"{place} holds no classes.csv with train.txt, val.txt or test.txt")
    names = _names(classes)
    return {
        split: lambda file=file: _rows(place, file, names, kinds)  # type: ignore[misc]
        for split, file in files.items()
    }


def _names(classes: Path) -> dict[str, dict[str, str]]:
    """Kind → number of a class → its name."""
    with classes.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if len(row) > _COARSE_ID][1:]
    return {
        "fine": {row[_ID].strip(): _words(row[_NAME]) for row in rows},
        "coarse": {row[_COARSE_ID].strip(): _words(row[_COARSE]) for row in rows},
    }


def _words(name: str) -> str:
    return " ".join(name.replace("-", " ").lower().split())


def _rows(
    place: Path, file: Path, names: Mapping[str, Mapping[str, str]], kinds: list[str]
) -> Iterator[Found]:
    for line in lines_of(file):
        path, *numbers = (part.strip() for part in line.split(","))
        labels = dict(zip(("fine", "coarse"), numbers, strict=False))
        for kind in kinds:
            label = names[kind].get(labels.get(kind, ""))
            if label is None:
                yield BadRow(path, f"a {kind} class that classes.csv lacks")
            else:
                picture = FilePicture(place / path)
                yield Row(picture, QUESTIONS[kind], (label,), kind=kind, name=f"{path} ({kind})")
