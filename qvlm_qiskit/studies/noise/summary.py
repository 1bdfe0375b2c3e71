"""Rows of a noise study → means over seeds and paired differences, with 95 % intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from qvlm_qiskit.noise_models.description.kinds import KINDS
from qvlm_qiskit.studies.intervals import (
    accuracy_interval,
    grouped,
    mean_interval,
    paired,
    paired_accuracy,
)
from qvlm_qiskit.studies.noise.labels import kinds_label, kinds_there

Row = Mapping[str, Any]

EXACTLY = "trained exactly"
CLASSICAL = "classical blocks"
ALL = "all"


class Place(NamedTuple):
    """What the rows of a point agree in; all but kind and device are None for exact values."""

    kind: str
    device: str
    shots: int | None
    error_kinds: str | None
    strength: float | None
    mitigation: str | None


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """What a study found.

    Returns:
        ``points``: per kind of model and machine, the mean over seeds of accuracy, loss, and the
        RMS error and bias of every block's expectation values, and how many answers noise has
        flipped (``flips``; None without exact rows of the same models). ``differences``:
        differences of accuracy and loss, paired by seed, on the same questions. ``kinds``: what
        each kind of error does alone and what leaving it out spares, where a study has asked.
        ``gates``: gate values per kind. An interval over seeds needs two of them; one seed's
        accuracies have those over its questions, and the bounds of other numbers are None.
    """
    rows = [_of_today(row) for row in rows]
    there = kinds_there(rows)
    groups = {Place(*place): found for place, found in grouped(rows, Place._fields).items()}
    exact = {place.kind: found for place, found in groups.items() if place.strength is None}
    return {
        "points": [
            {
                **_point(place, found, exact.get(place.kind, ())),
                "errors": kinds_label(place.error_kinds, there[place.device]),
            }
            for place, found in groups.items()
        ],
        "differences": _differences(groups),
        "kinds": taken_apart(groups, there),
        "gates": _gates(rows),
    }


def _of_today(row: Row) -> Row:
    """A row of a release that knew no kinds of error."""
    return {"error_kinds": None if row["strength"] is None else ALL, **row}


def _point(place: Place, rows: Sequence[Row], exact: Sequence[Row]) -> dict[str, Any]:
    blocks = [entry["block"] for entry in rows[0]["expectations"]]
    return {
        **place._asdict(),
        "accuracy": accuracy_interval(rows),
        "loss": mean_interval([row["loss"] for row in rows]),
        "expectations": {
            block: {
                name: mean_interval([row["expectations"][i][name] for row in rows])
                for name in ("rms", "bias")
            }
            for i, block in enumerate(blocks)
        },
        "flips": None if place.strength is None else flips(rows, exact),
    }


def flips(rows: Sequence[Row], exact: Sequence[Row]) -> dict[str, int] | None:
    """Answers that are right exactly and wrong under noise (``lost``), and the other way.

    Returns:
        ``lost``, ``gained`` and the ``total`` of questions over the seeds that have exact rows;
        None where none has, or rows are of a release that did not keep which were right.
    """
    by_seed = {row["seed"]: str(row.get("right") or "") for row in exact}
    pairs = [(by_seed.get(row["seed"], ""), str(row.get("right") or "")) for row in rows]
    signs = [sign for one, two in pairs if one and two for sign in zip(one, two, strict=True)]
    if not signs:
        return None
    lost, gained = signs.count(("1", "0")), signs.count(("0", "1"))
    return {"lost": lost, "gained": gained, "total": len(signs)}


def _differences(groups: Mapping[Place, Sequence[Row]]) -> list[dict[str, Any]]:
    found = []
    for place, rows in groups.items():
        if place.error_kinds not in (None, ALL):  # these are compared in `taken_apart`
            continue
        for what, other in _compared(place, groups):
            against = groups.get(other, ())
            means = paired(rows, against, ("loss",))
            if means is not None:
                accuracy = paired_accuracy(rows, against)
                where = {name: getattr(place, name) for name in Place._fields[1:5]}
                found.append({"what": what, **where, "accuracy": accuracy, **means})
    return found


def _compared(place: Place, groups: Mapping[Place, Any]) -> Iterator[tuple[str, Place]]:
    """What a point is compared with, and how this is called."""
    kind, mitigation = place.kind, place.mitigation
    if mitigation not in (None, "none"):
        yield f"{kind}: {mitigation} - none", place._replace(mitigation="none")
    elif kind not in (EXACTLY, CLASSICAL):
        yield f"{kind} - {EXACTLY}", place._replace(kind=EXACTLY)
    elif kind == EXACTLY:
        twins = [one for one in groups if one.kind == CLASSICAL]
        yield from ((f"{kind} - classical twin", twin) for twin in twins[:1])
    if place.strength is None:
        return
    named = kind if mitigation == "none" else f"{kind}, {mitigation}"
    noisy = [one for one in groups if one.strength is not None]
    first, most = noisy[0].device, max(one.shots or 0 for one in noisy)
    if place.device != first:
        label = f"{named}: {place.device.removeprefix('noisy:')} - {first.removeprefix('noisy:')}"
        yield label, place._replace(device=first)
    if place.shots != most:
        yield f"{named}: {place.shots:,} - {most:,} shots", place._replace(shots=most)


def taken_apart(
    groups: Mapping[Place, Sequence[Row]], there: Mapping[str, Collection[str]]
) -> list[dict[str, Any]]:
    """What kinds of error do, in accuracy, in loss and to expectation values.

    Args:
        groups: Rows by place.
        there: The kinds that every device has, for labels.

    Returns:
        One entry for each kind of model, device, shots, strength and technique that was asked with
        other than all errors: ``choices``, each with its change from no noise (``from_none``; rows
        of strength 0) and from all errors (``from_all``), both paired by seed, None where the other
        row is not there, the RMS error of ⟨Z⟩ of the worst block, and the flipped answers. The
        choice of all errors comes first.
    """
    exact = {place.kind: rows for place, rows in groups.items() if place.strength is None}
    found: dict[Place, list[dict[str, Any]]] = {}
    for place, rows in groups.items():
        whole = place._replace(error_kinds=ALL)
        apart = any(one._replace(error_kinds=ALL) == whole and one != whole for one in groups)
        if place.strength and apart:
            free = whole._replace(strength=0.0)
            entry = {
                "error_kinds": place.error_kinds,
                "errors": kinds_label(place.error_kinds, there[place.device]),
                "rms": _worst(rows),
                "flips": flips(rows, exact.get(place.kind, ())),
                "from_none": _change(rows, groups.get(free, ())),
                "from_all": None if place == whole else _change(rows, groups.get(whole, ())),
            }
            found.setdefault(whole, []).append(entry)
    return [
        {
            **{name: value for name, value in place._asdict().items() if name != "error_kinds"},
            "choices": sorted(entries, key=lambda one: one["error_kinds"] != ALL),
            "sum_alone": _sum_alone(entries),
        }
        for place, entries in found.items()
    ]


def _change(rows: Sequence[Row], others: Sequence[Row]) -> dict[str, Any] | None:
    means = paired(rows, others, ("loss",))
    return None if means is None else {"accuracy": paired_accuracy(rows, others), **means}


def _sum_alone(entries: Sequence[Mapping[str, Any]]) -> dict[str, float] | None:
    """Changes from no noise of single kinds, added up; None unless all of them are there."""
    alone = [one for one in entries if one["error_kinds"] in KINDS]
    if len(alone) < 2 or any(one["from_none"] is None for one in alone):
        return None
    return {
        name: sum(one["from_none"][name]["mean"] for one in alone) for name in ("accuracy", "loss")
    }


def _worst(rows: Sequence[Row]) -> dict[str, Any] | None:
    if not rows[0]["expectations"]:
        return None
    return mean_interval([max(one["rms"] for one in row["expectations"]) for row in rows])


def _gates(rows: Sequence[Row]) -> list[dict[str, Any]]:
    values: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for row in rows:
        for gate, value in row["gates"].items():
            values[row["kind"], gate][row["seed"]] = value
    return [
        {"kind": kind, "gate": gate, "value": mean_interval(list(by_seed.values()))}
        for (kind, gate), by_seed in values.items()
    ]
