"""Questions of a comparison with their pictures, and what every model answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qvlm_qiskit.studies.compare.options import CompareOptions

EACH = 4
"""So many questions that the first model answered rightly, and so many of the others."""
FIRST_SEED = 0


def examples(
    options: CompareOptions, rows: Sequence[Mapping[str, Any]], each: int = EACH
) -> list[dict[str, Any]]:
    """The first questions that the first model of the first seed answered rightly, and wrongly.

    Nobody chooses among them: they come in the order of the data set, right ones first.

    Args:
        options: Of the comparison, which say where the pictures are.
        rows: Of its cells; those of older versions hold no answers and are passed over.
        each: At most so many right and so many wrong ones.

    Returns:
        ``index``, ``kind``, ``question``, ``expected``, ``image``, ``answers`` (whose → the text)
        and whose are ``wrong``.
    """
    from qvlm_qiskit.data import open_data

    told = {_whose(row): row for row in rows if row["seed"] == FIRST_SEED and "answers" in row}
    if not told:
        return []
    samples = open_data(options.data_name, "test", options.limit, FIRST_SEED)
    right = next(iter(told.values()))["right"]
    chosen = [i for sign in "10" for i in _first(right, sign, each)]
    return [
        {
            "index": index,
            **{name: getattr(samples[index], name) for name in ("kind", "question", "image")},
            "expected": samples[index].answer,
            "answers": {whose: row["answers"][index] for whose, row in told.items()},
            "wrong": [whose for whose, row in told.items() if row["right"][index] == "0"],
        }
        for index in chosen
    ]


def _first(right: str, sign: str, each: int) -> list[int]:
    return [index for index, given in enumerate(right) if given == sign][:each]


def _whose(row: Mapping[str, Any]) -> str:
    on = row.get("on", "–")
    return str(row["variant"]) if on == "–" else f"{row['variant']}, {on}"
