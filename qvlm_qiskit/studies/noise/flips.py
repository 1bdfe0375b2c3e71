"""Answers that noise flips, with their pictures: right exactly and wrong under noise, or back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from qvlm_qiskit.errors import QVLMError
from qvlm_qiskit.noise_models.description.kinds import ALL
from qvlm_qiskit.studies.noise.labels import kinds_label, kinds_there

Row = Mapping[str, Any]
EACH = 6
"""So many questions whose right answer noise loses, and so many whose wrong one it corrects."""
MACHINES = 6
"""So many machines are listed beside a picture."""


def flipped_pictures(results: Mapping[str, Any]) -> dict[str, Any]:
    """The first flipped questions with their pictures, or why these can't be read any more.

    Of the first model that has exact answers. Nobody chooses among the questions: they come in the
    order of the data set.

    Returns:
        ``lost`` and ``gained``: questions as `answers.html.j2` shows them; ``of`` whose; ``unread``
        why there are no pictures, "" otherwise.
    """
    from qvlm_qiskit.runs import Run

    nothing = {"lost": [], "gained": [], "of": "", "unread": ""}
    exact, noisy = _first_model(results["rows"])
    if exact is None or not noisy:
        return nothing
    chosen = {sign: _flipped(exact, noisy, sign)[:EACH] for sign in ("1", "0")}
    try:
        samples = Run.open(Path(exact["run"])).samples("test", results["grid"]["questions"])
        lost, gained = (
            [_shown(samples[index], index, exact, noisy) for index in chosen[sign]] for sign in "10"
        )
    except (QVLMError, OSError) as error:  # what is finished can be shown without its data
        return {**nothing, "unread": str(error)}
    return {"lost": lost, "gained": gained, "of": f"{exact['kind']}, seed {exact['seed']}",
            "unread": ""}  # fmt: skip


def _first_model(rows: Sequence[Row]) -> tuple[Row | None, list[Row]]:
    """The exact row of the first model with circuits, and those of its machines."""
    noisy = [row for row in rows if row["strength"] is not None and "answers" in row]
    for row in rows:
        own = [one for one in noisy if (one["run"], one["seed"]) == (row["run"], row["seed"])]
        if row["strength"] is None and "answers" in row and own:
            return row, own
    return None, []


def _flipped(exact: Row, noisy: Sequence[Row], sign: str) -> list[int]:
    """Questions that are right ("1") or wrong ("0") exactly, and not so on some machine."""
    return [
        index
        for index, given in enumerate(exact["right"])
        if given == sign and any(row["right"][index] != sign for row in noisy)
    ]


def _shown(sample: Any, index: int, exact: Row, noisy: Sequence[Row]) -> dict[str, Any]:
    from qvlm_qiskit.studies.reports.pictures import data_uri

    names = machine_names(noisy)
    other = [i for i, row in enumerate(noisy) if row["right"][index] != exact["right"][index]]
    listed = {"exactly": exact, **{names[i]: noisy[i] for i in other[:MACHINES]}}
    return {
        "index": index,
        **{name: getattr(sample, name) for name in ("kind", "question")},
        "expected": sample.answer,
        "image": data_uri(sample.image),
        "answers": {name: row["answers"][index] for name, row in listed.items()},
        "wrong": [name for name, row in listed.items() if row["right"][index] == "0"],
    }


def machine_names(rows: Sequence[Row]) -> list[str]:
    """What tells the machines of some rows apart, in few words; each is another one."""
    varies = {
        name: len({row.get(name) for row in rows}) > 1
        for name in ("device", "shots", "mitigation", "error_kinds")
    }
    there = kinds_there(rows)
    return [_name(row, varies, there[row["device"]]) for row in rows]


def _name(row: Row, varies: Mapping[str, bool], there: Collection[str]) -> str:
    said = [f"× {row['strength']:g}"]
    if varies["device"]:
        said.insert(0, str(row["device"]).removeprefix("noisy:"))
    if varies["mitigation"] and row["mitigation"] != "none":
        said.append(str(row["mitigation"]))
    if varies["error_kinds"] and row.get("error_kinds", ALL) != ALL:
        said.append(f"{kinds_label(row['error_kinds'], there)} errors")
    if varies["shots"]:
        said.append(f"{row['shots']:,} shots")
    return ", ".join(said)
