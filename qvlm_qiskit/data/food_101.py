"""Food-101 (Bossard et al. 2014), by ``food-101:FOLDER``: its ``images`` and ``meta``.

The official split is that of ``meta``. Hugging Face's copy (``ethz/food101``, whose test part is
called "validation") is read by ``hub:``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from qvlm_qiskit.data.reading.files import json_of, lines_of
from qvlm_qiskit.data.reading.reader import reads
from qvlm_qiskit.data.reading.rows import FilePicture, Row
from qvlm_qiskit.data.reading.splits import Parts
from qvlm_qiskit.errors import InputError

_ASK = "what food is this?"


@reads("food-101", takes="a folder with Food-101's images and meta", options=("ask",))
def food_101(place: Path, options: Mapping[str, str]) -> Parts:
    """The photographs of the two official parts."""
    there = {s: f for s in ("train", "test") if (f := place / "meta" / f"{s}.json").is_file()}
    if not there:
        raise InputError(f"{place} holds neither meta/train.json nor meta/test.json")
    labels, ask = _labels(place / "meta"), options.get("ask", _ASK)
    return {
        split: lambda file=file: _rows(place, file, labels, ask)  # type: ignore[misc]
        for split, file in there.items()
    }


def _labels(meta: Path) -> dict[str, str]:
    """Class → how people write it."""
    classes, labels = meta / "classes.txt", meta / "labels.txt"
    if not (classes.is_file() and labels.is_file()):
        return {}
    return dict(zip(lines_of(classes), lines_of(labels), strict=False))


def _rows(place: Path, file: Path, labels: Mapping[str, str], ask: str) -> Iterator[Row]:
    for name, pictures in json_of(file).items():
        label = labels.get(name, name.replace("_", " ")).lower()
        for picture in pictures:
            path = place / "images" / f"{picture}.jpg"
            yield Row(FilePicture(path), ask, (label,), kind="label", name=picture)
