"""One row in one process: all agree with ours, then all are timed in turn."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from timing import interleave, timed

from circuits.contenders import Contender, row_of

ALWAYS = ("ours", "layers", "torch", "qkan")
"""Contenders that ``--only`` does not choose among."""


def circuit_row(
    threads: int, smoke: bool, row: str, peers: list[str], rounds: int
) -> dict[str, Any]:
    """The table of one row, in the form of :func:`comparison.compare`.

    Args:
        threads: As the environment says already.
        smoke: Whether the circuit has its smoke size.
        row: One of :data:`circuits.contenders.NAMES`.
        peers: Others that take part.
        rounds: Turns that everybody gets.
    """
    found = row_of(row, smoke)
    entries, runners = [], {}
    reference: Any = None
    for contender in found.contenders:
        if contender.peer not in (*ALWAYS, *peers):
            continue
        entry: dict[str, Any] = {
            **{key: getattr(contender, key) for key in ("peer", "label", "kind", "version")},
            "status": "not installed",
            "factor": 1,
        }
        entries.append(entry)
        if entry["version"] is None:
            continue
        runner, arrays = _prepared(contender, entry)
        reference = arrays if reference is None else reference
        entry["deviation"] = _deviation(arrays, reference)
        entry["status"] = "measured" if entry["deviation"] <= found.tolerance else "wrong"
        if entry["status"] == "measured":
            runners[contender.label] = runner
    _measure(entries, runners, rounds, 0.01 if smoke else 0.3)
    return {"circuit": row, "title": found.title, "threads": threads, "entries": entries}


def _prepared(contender: Contender, entry: dict[str, Any]) -> tuple[Any, Any]:
    """Built and called for the first time; ours once more, in a process that has run already."""
    for module in contender.modules:
        importlib.import_module(module)
    made: list[Any] = []
    entry["build_s"] = timed(lambda: made.append(contender.build()))
    (runner,) = made
    entry["first_s"] = timed(runner.both)
    if contender.kind == "ours":
        entry["again_s"] = timed(lambda: contender.build().both())
    return runner, runner.arrays()


def _deviation(arrays: Any, reference: Any) -> float:
    """The largest difference of all arrays, in units of the reference's largest entry."""
    pairs = zip(arrays, reference, strict=True)
    return max(float(np.abs(a - b.reshape(a.shape)).max() / np.abs(b).max()) for a, b in pairs)


def _measure(
    entries: list[dict[str, Any]], runners: dict[str, Any], rounds: int, seconds: float
) -> None:
    """Times, and their ratios to ours: of lower quartiles, as calls are short and rows many."""
    for what in ("forward", "both"):
        calls = {label: getattr(runner, what) for label, runner in runners.items()}
        times = interleave(calls, rounds, seconds)
        for entry in entries:
            if entry["label"] in times:
                entry[f"{what}_ms"] = times[entry["label"]]
    for entry in entries:
        if "both_ms" in entry:
            entry["ratio"] = entry["both_ms"]["low"] / entries[0]["both_ms"]["low"]
