"""The blocks' tables for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qvlm_qiskit.basics.counted import counted
from qvlm_qiskit.studies.blocks.cells import BASELINES, KINDS
from qvlm_qiskit.studies.grid_study import Printed

Found = Mapping[str, Any]
TWIN = "classical"


def tables(results: Found) -> list[Printed]:
    """Every table that has rows."""
    made = [
        _accuracies(results),
        _differences(results, ("classical", "frozen"), "accuracy"),
        _differences(results, ("linear", "none"), "accuracy"),
        _differences(results, ("cnn",), "accuracy"),
        _differences(results, ("classical", "frozen"), "loss"),
        _times(results),
        _machines(results),
        _noise(results),
        _simulation(results),
    ]
    return [table for table in made if table.rows]


def _accuracies(results: Found) -> Printed:
    first, asked = results["points"][0], results["grid"]
    title = (
        f"{'quick, says little: ' if asked['quick'] else ''}{counted(asked['seeds'], 'seed')}, "
        f"{counted(asked['steps'], 'step')} of {asked['batch_size']} of "
        f"{first['train_samples']:,} samples, "
        f"{first['questions']:,} questions a seed, 95 %"
    )
    if (guessing := results["guessing"])["count"]:
        title += (
            f"; {guessing['count']} of {counted(guessing['trainings'], 'training')} ended no "
            "better than a model that says the same to every question (another --learning-rate, "
            "or more --steps?)"
        )
    shown = [one for one in results["points"] if one["kind"] in (KINDS[0], *BASELINES)]
    rows = [
        [one["block"] or one["kind"], f"{one['parameters']:,}", percent(one["accuracy"]),
         plain(one["loss"])]
        for one in shown
    ]  # fmt: skip
    return Printed(title, ("block", ">numbers", ">exact match", ">loss"), rows)


def _differences(results: Found, kinds: Sequence[str], what: str) -> Printed:
    form = points if what == "accuracy" else plain
    unit = "percentage points" if what == "accuracy" else "nats, less is better"
    names = ["twin" if kind == TWIN else kind for kind in kinds]
    rows = [
        [block["block"], *(form(block["differences"][kind][what], True) for kind in kinds)]
        for block in results["blocks"]
    ]
    title = f"{'exact match' if what == 'accuracy' else what}, block less …, {unit}, paired"
    return Printed(title, ("block", *(f">{name}" for name in names)), rows)


def _times(results: Found) -> Printed:
    rows = [
        [one["block"], f"{one['time']['step_ms']:.2f}", f"{one['time']['twin_ms']:.2f}",
         f"{one['time']['step_ms'] / one['time']['twin_ms']:.1f}"]
        for one in results["blocks"] if one["time"]
    ]  # fmt: skip
    title = "forward and backward pass of a batch, ms, medians in turn, one thread"
    return Printed(title, ("block", ">quantum", ">twin", ">ratio"), rows)


def _machines(results: Found) -> Printed:
    rows = [
        [one["block"], number(one["machine"]["two_qubit_gates"], ","),
         number(one["machine"]["success"], ".2f"), number(one["machine"]["rows"], ",.0f"),
         number(one["machine"]["qpu_seconds"], ",.0f")]
        for one in results["blocks"] if one["machine"]
    ]  # fmt: skip
    asked = results["grid"]
    title = f"{asked['device']}, {asked['shots']:,} shots: rows a sample, seconds of 1,000 samples"
    columns = ("block", ">2q gates", ">success", ">rows", ">QPU s")
    return Printed(title, columns, rows)


def _noise(results: Found) -> Printed:
    known = [one for one in results["blocks"] if one["noise"]]
    if not known:
        return Printed("", (), [])
    techniques = [one["mitigation"] for one in known[0]["noise"]]
    counts = [n["questions"] for one in known for n in one["noise"] if "questions" in n]
    rows = []
    for block in known:
        refused = block["noise"][0].get("refused")
        if refused:
            rows.append([block["block"], refused, *([""] * len(techniques))])
            continue
        shown = [percent(one["accuracy"], 0) for one in block["noise"]]
        rows.append([block["block"], percent(block["noise"][0]["exact"], 0), *shown])
    asked = f"{counted(max(counts, default=0), 'question')} of seed 0"
    if len(set(counts)) > 1:
        asked += f" ({min(counts)} of wide circuits)"
    title = f"exact match under {results['grid']['device']}'s noise, {asked}, Wilson's 95 %"
    names = ("raw" if one == "none" else one for one in techniques)
    return Printed(title, ("block", ">exact", *(f">{one}" for one in names)), rows)


def _simulation(results: Found) -> Printed:
    from qvlm_qiskit.studies.blocks.simulation import ERROR, MOST_TERMS

    rows = []
    for one in results["blocks"]:
        if (found := one["machine"]) is not None:
            most = f"> {MOST_TERMS:,}" if found["counted"] else "–"
            kept = most if found["terms"] is None else f"{found['terms']:,}"
            sizes = [str(found[name]) for name in ("qubits", "cone")]
            rows.append([one["block"], *sizes, kept, f"{found['numbers']:,}", found["easy"]])
    title = f"classically easy? Least numbers a value takes; Pauli terms at an error of {ERROR}"
    columns = ("block", ">qubits", ">cone", ">terms", ">numbers", "easy by its")
    return Printed(title, columns, rows)


def percent(entry: Found, digits: int = 1) -> str:
    """A share with its interval."""
    from qvlm_qiskit.studies.reports.templates import interval

    return interval(entry, 100, "%", scope=False, digits=digits)


def points(entry: Found | None, sign: bool = False) -> str:
    """A difference of shares in percentage points."""
    from qvlm_qiskit.studies.reports.templates import interval

    return "–" if entry is None else interval(entry, 100, "", scope=False, sign=sign)


def plain(entry: Found | None, sign: bool = False) -> str:
    """A number with its interval."""
    from qvlm_qiskit.studies.reports.templates import interval

    return "–" if entry is None else interval(entry, 1, "", scope=False, sign=sign, digits=2)


def number(value: float | None, form: str) -> str:
    """A number, or a dash."""
    return "–" if value is None else format(value, form)
