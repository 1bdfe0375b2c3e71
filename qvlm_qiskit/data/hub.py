"""Any data set of Hugging Face's Hub by its columns: ``hub:OWNER/NAME(image=…,answer=…)``.

Rows are streamed, and the first ``rows`` of each split are taken (20,000 by default). A folder in
the Hub's layout, or one that ``save_to_disk`` wrote, is read too. Needs the extra ``data``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from qvlm_qiskit.basics.hub import check_on_hub
from qvlm_qiskit.basics.optional import optional
from qvlm_qiskit.data.reading.columns import OPTIONS, Columns
from qvlm_qiskit.data.reading.reader import reads
from qvlm_qiskit.data.reading.splits import WHOLE, Found, Parts
from qvlm_qiskit.data.reading.tables import picture_of, row_of
from qvlm_qiskit.errors import InputError

ROWS = 20_000
_OWN = ("config", "revision", "rows")


@reads("hub", takes="a data set of Hugging Face's Hub, or a folder in its layout",
       options=(*OPTIONS, *_OWN), by_picture=True, on_disk=False)  # fmt: skip
def hub(place: Path, options: Mapping[str, str]) -> Parts:
    """The splits of a data set, each streamed."""
    named = {key: value for key, value in options.items() if key not in _OWN}
    limit = options.get("rows", str(ROWS))
    if not limit.isdecimal() or int(limit) < 1:
        raise InputError(f"rows of hub is a number of rows, got {limit!r}")
    splits = _opened(place, options)
    first = next(iter(splits.values()))
    columns = Columns.of(list(first.features), named, str(place))
    parts = {name: _part(split, columns, name, int(limit)) for name, split in splits.items()}
    return {WHOLE: parts["train"]} if set(parts) == {"train"} else parts


def _opened(place: Path, options: Mapping[str, str]) -> Mapping[str, Any]:
    """Split → its rows, whose pictures are not decoded."""
    with optional("data", "a data set of the Hub", datasets="datasets"):
        import datasets
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it tells of every retry
    asked = {"name": options.get("config"), "revision": options.get("revision")}
    try:
        if (place / "dataset_dict.json").is_file() or (place / "state.json").is_file():
            found = datasets.load_from_disk(str(place))
        else:
            if not place.exists() and not _prepared(str(place)):
                check_on_hub(str(place), "dataset")
            found = datasets.load_dataset(str(place), streaming=True, **asked)
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"hub:{place} can't be opened: {said[:200]}") from error
    splits = dict(found) if isinstance(found, dict) else {"train": found}
    return {name: _undecoded(split, datasets) for name, split in splits.items()}


def _prepared(name: str) -> bool:
    """Whether the library has kept the rows of a data set, beside the Hub's cache of files."""
    from datasets.load import CachedDatasetModuleFactory

    try:
        CachedDatasetModuleFactory(name).get_module()
    except (FileNotFoundError, AssertionError):  # the latter for a/b/c, which is no name
        return False
    return True


def _undecoded(split: Any, datasets: Any) -> Any:
    """Pictures stay bytes: one that is broken would end the whole stream."""
    for column, feature in split.features.items():
        if isinstance(feature, datasets.Image):
            split = split.cast_column(column, datasets.Image(decode=False))
    return split


def _part(split: Any, columns: Columns, name: str, limit: int) -> Callable[[], Iterable[Found]]:
    labels = {
        column: feature.names
        for column, feature in split.features.items()
        if hasattr(feature, "names")
    }

    def rows() -> Iterable[Found]:
        for number, cells in enumerate(islice(iter(split), limit), 1):
            for column, names in labels.items():
                if cells[column] is not None:
                    cells[column] = names[cells[column]]
            about, picture = picture_of(cells[columns.image], Path())
            yield row_of(cells, columns, picture, f"{name} row {number}{about}")

    return rows
