"""What an evaluation found, as tables on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qvlm_qiskit.cli import common


def print_accuracies(title: str, record: Mapping[str, Any]) -> None:
    """The table of exact matches: of all questions, and of every kind."""
    rows = [common.accuracy_row("all questions", record)]
    rows += [common.accuracy_row(kind, part) for kind, part in record["by_kind"].items()]
    common.print_table(title, common.ACCURACY_COLUMNS, rows)


def print_metrics(title: str, record: Mapping[str, Any]) -> None:
    """The table of all other metrics, and whose tokens captions were compared by."""
    groups = {"all": record["metrics"], **record.get("metrics_by_kind", {})}
    rows = [
        _row(kind, entry)
        for kind, entries in groups.items()
        for entry in entries
        if entry["metric"] != "exact-match"
    ]
    if rows and len(groups) > 1:
        common.print_table(title, ("metric", "questions", ">value", ">95 % interval"), rows)
    elif rows:
        plain = [[label, *numbers] for label, _, *numbers in rows]
        common.print_table(title, ("metric", ">value", ">95 % interval"), plain)
    if record["tokenizer"] is not None:
        common.say(f"tokens of captions by {record['tokenizer']['note']}")


def _row(kind: str, entry: Mapping[str, Any]) -> Sequence[str]:
    """A metric's number and its interval, as percentages where they are shares."""
    form = "{:.1%}" if entry["unit"] == "share" else "{:.3f}"
    value, low, high = (form.format(entry[name]) for name in ("value", "low", "high"))
    return [entry["label"], kind, value, f"{low} – {high}"]
