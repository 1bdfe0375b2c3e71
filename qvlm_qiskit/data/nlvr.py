"""NLVR (Suhr et al. 2017), by ``nlvr:FOLDER``: statements on drawn pictures, true or false.

FOLDER/train/train.json and train/images/<directory>/train-<identifier>-<k>.png, dev and test
likewise. Each statement is there with six orders of its boxes; ``orders=N`` takes the first N.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from qvlm_qiskit.data.reading.files import lines_of
from qvlm_qiskit.data.reading.reader import reads
from qvlm_qiskit.data.reading.rows import FilePicture, Row, text_of
from qvlm_qiskit.data.reading.splits import Parts
from qvlm_qiskit.errors import InputError

ORDERS = 6


@reads("nlvr", takes="a folder with NLVR's train, dev and test", options=("orders",))
def nlvr(place: Path, options: Mapping[str, str]) -> Parts:
    """The statements of the official parts that are there."""
    orders = options.get("orders", str(ORDERS))
    if not orders.isdecimal() or not 1 <= int(orders) <= ORDERS:
        raise InputError(f"orders of nlvr are 1 … {ORDERS}, got {orders}")
    files = {s: f for s in ("train", "dev", "test") if (f := place / s / f"{s}.json").is_file()}
    if not files:
        raise InputError(f"{place} holds none of train/train.json, dev/dev.json, test/test.json")
    return {
        split: lambda split=split, file=file: _rows(split, file, int(orders))  # type: ignore[misc]
        for split, file in files.items()
    }


def _rows(split: str, file: Path, orders: int) -> Iterator[Row]:
    for line in lines_of(file):
        try:
            found = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{file} is not readable as lines of JSON: {error}") from error
        folder = file.parent / "images" / str(found.get("directory", ""))
        sentence, label = text_of(found["sentence"]), text_of(found["label"]).lower()
        for k in range(orders):
            name = f"{split}-{found['identifier']}-{k}.png"
            yield Row(
                FilePicture(folder / name), sentence, (label,), kind="statement", name=name,
                group=sentence,
            )  # fmt: skip
