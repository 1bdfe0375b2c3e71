"""DiffusionDB (Wang et al. 2023), by ``diffusiondb:FOLDER``: pictures drawn from prompts.

FOLDER/images/part-000001/<uuid>.png (or .webp) and part-000001.json; also one part's folder alone.
FOLDER/metadata.parquet, where it lies there, says which pictures are blurred: they are skipped.

It has no official split; pictures of one prompt stay together. The prompt is the caption.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from qvlm_qiskit.data.reading.columns import CAPTION_QUESTION
from qvlm_qiskit.data.reading.files import json_of
from qvlm_qiskit.data.reading.reader import reads
from qvlm_qiskit.data.reading.rows import BadRow, FilePicture, Row, text_of
from qvlm_qiskit.data.reading.splits import WHOLE, Found, Parts
from qvlm_qiskit.data.reading.tables import read_table
from qvlm_qiskit.errors import InputError

_BLURRED = 2.0
"""In ``image_nsfw``: the picture is blurred."""


@reads("diffusiondb", takes="a folder with DiffusionDB's parts", options=("ask",), by_picture=False)
def diffusiondb(place: Path, options: Mapping[str, str]) -> Parts:
    """All pictures of the parts that are there."""
    files = sorted(place.rglob("part-*.json"))
    if not files:
        raise InputError(f"{place} holds no part-000001.json with its pictures")
    ask = options.get("ask", CAPTION_QUESTION)
    return {WHOLE: lambda: _rows(files, _blurred(place), ask)}


def _blurred(place: Path) -> set[str]:
    metadata = place / "metadata.parquet"
    if not metadata.is_file():
        return set()
    cells = read_table(metadata).cells
    return {row["image_name"] for row in cells if row.get("image_nsfw") == _BLURRED}


def _rows(files: list[Path], blurred: set[str], ask: str) -> Iterator[Found]:
    for file in files:
        for name, about in json_of(file).items():
            prompt = text_of(about.get("p") or "")
            if name in blurred:
                yield BadRow(name, "blurred as unsafe for work")
            else:
                picture = FilePicture(file.parent / name)
                answers = (prompt,) if prompt else ()
                yield Row(picture, ask, answers, kind="caption", name=name, group=prompt)
