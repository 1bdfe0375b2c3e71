"""Rows of the blocks' table → one entry for each block, with intervals and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qvlm_qiskit.studies.blocks.cells import BASELINES, KINDS, LEARN, MACHINE, NOISE, TIME
from qvlm_qiskit.studies.compare.summary import accuracy_difference
from qvlm_qiskit.studies.intervals import accuracy_interval, grouped, mean_interval, paired

Row = Mapping[str, Any]
AGAINST = (*KINDS[1:], *BASELINES)
"""What the quantum block is compared with: its twin, its frozen version and so on."""
GUESSING = 0.98
"""Of the entropy of the answers: a loss above has not left it."""
MEASURED = {
    TIME: ("step_ms", "twin_ms", "load"),
    MACHINE: (
        "two_qubit_gates", "depth", "success", "circuits", "rows", "qpu_seconds", "refused",
        "qubits", "cone", "terms", "counted", "numbers", "easy",
    ),
}  # fmt: skip


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """What the table says.

    Returns:
        ``points``: per block and kind (baselines have the block ""), accuracy and loss with their
        intervals, and parameters. ``blocks``: for each block what it is like: ``differences`` of
        the quantum block from each of `AGAINST` (``accuracy``, ``loss``), ``time``, ``machine`` and
        ``noise`` (by mitigation). ``seen``: how many differences of accuracy from twins there are,
        how many intervals do not hold 0, and how many would not by chance alone. ``guessing``:
        trainings that ended no better than a model that says the same always (``count``), of how
        many (``trainings``; rows of older versions do not tell).
    """
    learned = grouped([row for row in rows if row["task"] == LEARN], ("block", "kind"))
    names = list(dict.fromkeys(row["block"] for row in rows if row["block"]))
    blocks = [_block(name, rows, learned) for name in names]
    return {
        "points": [_point(place, found) for place, found in learned.items()],
        "blocks": blocks,
        "seen": _seen(blocks),
        "guessing": _guessing([row for found in learned.values() for row in found]),
    }


def _guessing(learned: Sequence[Row]) -> dict[str, int]:
    known = [row for row in learned if row.get("entropy")]  # of one answer alone it is 0
    return {
        "trainings": len(known),
        "count": sum(row["loss"] >= GUESSING * row["entropy"] for row in known),
    }


def _point(place: tuple[Any, ...], rows: Sequence[Row]) -> dict[str, Any]:
    first = rows[0]
    return {
        "block": place[0],
        "kind": place[1],
        "accuracy": accuracy_interval(rows),
        "loss": mean_interval([row["loss"] for row in rows]),
        **{name: first[name] for name in ("parameters", "quantum_parameters", "train_samples")},
        "questions": first["total"],
        "seconds_trained": mean_interval([row["seconds_trained"] for row in rows])["mean"],
    }


def _block(
    name: str, rows: Sequence[Row], learned: Mapping[tuple[Any, ...], Sequence[Row]]
) -> dict[str, Any]:
    own = [row for row in rows if row["block"] == name]
    quantum = learned[name, KINDS[0]]
    others = {kind: learned["" if kind in BASELINES else name, kind] for kind in AGAINST}
    found: dict[str, Any] = {
        "block": name,
        "differences": {kind: _difference(quantum, other) for kind, other in others.items()},
        "noise": [_noise(row) for row in own if row["task"] == NOISE],
    }
    for task, columns in MEASURED.items():
        row = next((row for row in own if row["task"] == task), None)
        found[task] = None if row is None else {column: row[column] for column in columns}
    return found


def _difference(rows: Sequence[Row], others: Sequence[Row]) -> dict[str, Any]:
    """Of accuracy never narrower than paired by question, of the loss by seed alone."""
    loss = paired(rows, others, ("loss",))
    return {
        "accuracy": accuracy_difference(rows, others),
        "loss": None if loss is None else loss["loss"],
    }


def _noise(row: Row) -> dict[str, Any]:
    """Accuracy under noise, exactly, and their difference by the paired bootstrap."""
    from qvlm_qiskit.evaluation.metrics import Accuracy, paired_difference

    if "refused" in row:
        return {"mitigation": row["mitigation"], "refused": row["refused"]}
    noisy, exact = ([mark == "1" for mark in row[name]] for name in ("right", "exact_right"))
    lost = paired_difference(noisy, exact)
    ends = [Accuracy(sum(marks), len(marks)) for marks in (noisy, exact)]
    shown = [{"mean": one.value, "low": one.interval[0], "high": one.interval[1]} for one in ends]
    mean = shown[0]["mean"] - shown[1]["mean"]
    return {
        "mitigation": row["mitigation"],
        "questions": len(noisy),
        "accuracy": shown[0],
        "exact": shown[1],
        "difference": {"mean": mean, "low": lost.low, "high": lost.high},
        "seconds": row["seconds_noise"],
    }


def _seen(blocks: Sequence[Row]) -> dict[str, dict[str, float]]:
    """By what is compared with: intervals of accuracy, and those that don't hold 0."""
    found = {}
    for kind in AGAINST:
        known = [block["differences"][kind]["accuracy"] for block in blocks]
        known = [one for one in known if one is not None and one["low"] is not None]
        found[kind] = {
            "intervals": len(known),
            "better": sum(one["low"] > 0 for one in known),
            "worse": sum(one["high"] < 0 for one in known),
            "by_chance": 0.05 * len(known),
        }
    return found
