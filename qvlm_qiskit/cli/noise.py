"""``qvlm noise show|save|diff|learn``: calibrations, formulas and what is learned as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from qvlm_qiskit.basics.counted import counted
from qvlm_qiskit.cli import common, noise_learning

app = typer.Typer(
    rich_markup_mode=None, help="Show, save, compare and learn the noise of devices and formulas."
)

Source = Annotated[
    str,
    typer.Argument(
        help="A fake device, ibm:<name>, a noise model file (.json), a formula such as "
        "'depolarizing(0.01)', or several joined by +."
    ),
]


@app.command("show")
def show(
    source: Source, max_age_days: common.MaxAgeDays = None, as_json: common.AsJson = False
) -> None:
    """Show where a noise comes from, its medians and its sources."""
    (spec,) = _opened(source, max_age_days=max_age_days)
    if as_json:
        common.print_json(spec.to_dict())
        return
    rows: list[tuple[str, ...]] = [("qubits", str(len(spec.qubits) or "any"))]
    rows.append(("gates", ", ".join(spec.basis_gates)))
    for name, value in spec.summary().items():
        if name in ("name", "sources") or value is None:
            continue
        rows.append((name, f"{value:.4g}" if isinstance(value, float) else str(value)))
    if learned := [gate for gate in spec.gates if gate.rates]:
        rows.append(("learned gates", str(len(learned))))
    if spec.snapshot is not None:
        rows.append(("device", spec.snapshot.device))
        rows.append(("age", f"{spec.snapshot.age_days:.1f} days"))
        rows += [(f"version of {k}", v) for k, v in spec.snapshot.versions.items()]
    for source_of_error in spec.sources:
        numbers = (
            f"{name} = {getattr(source_of_error, name):g} {unit}".rstrip()
            for name, unit in source_of_error.units.items()
            if getattr(source_of_error, name) is not None
        )
        after = ", ".join(getattr(source_of_error, "gates", ()))
        rows.append((source_of_error.kind, "; ".join(numbers) + (f" after {after}" * bool(after))))
    common.print_table(spec.name, ("property", "value"), rows)


@app.command("save")
def save(
    source: Source,
    path: Annotated[Path, typer.Argument(help="The file to write, ending in .json.")],
    max_age_days: common.MaxAgeDays = None,
    overwrite: common.Overwrite = False,
) -> None:
    """Write a noise to a file, with the date of its calibration."""
    noise_learning.check_file(path, overwrite)
    (spec,) = _opened(source, max_age_days=max_age_days)
    spec.save(path)
    dated = "" if spec.snapshot is None else f", calibrated {spec.snapshot.calibrated_utc}"
    common.console().print(f"{spec.name}{dated}: {path}")


@app.command("diff")
def diff(
    first: Source,
    second: Source,
    every: Annotated[
        bool, typer.Option("--all", help="Every difference, not what they come to.")
    ] = False,
    as_json: common.AsJson = False,
) -> None:
    """Say what differs between two noises: in sum, or with --all one by one."""
    from dataclasses import asdict

    opened = _opened(first, second)
    from qvlm_qiskit.noise_models import diff as differences

    found = differences(*opened)
    if as_json:
        common.print_json([{**asdict(d), "change": d.change} for d in found])
        return
    if not found:
        common.say("no differences")
        return
    if not every:
        _print_sums(found)
        return
    rows = [
        (
            f"{d.where} {d.quantity}" + (f" ({d.unit})" if d.unit else ""),
            _shown(d.first),
            _shown(d.second),
            "" if d.change is None else f"{d.change:+.1%}",
        )
        for d in found
    ]
    common.print_table(
        counted(len(found), "difference"), ("what", "first", "second", ">change"), rows
    )


app.command("learn")(noise_learning.learn)


def _print_sums(found: Sequence[Any]) -> None:
    """Differences of one kind in a row: how many, and between what their values and changes lie."""
    groups: dict[tuple[str, str], list[Any]] = {}
    for one in found:
        place = one.where.split(" (")[0].rstrip("0123456789").strip()
        quantity = one.quantity + f" ({one.unit})" * bool(one.unit)
        groups.setdefault((place, quantity), []).append(one)
    rows = []
    for (place, quantity), alike in groups.items():
        changes = [one.change for one in alike if one.change is not None]
        rows.append(
            (
                f"{place} {quantity}",
                str(len(alike)),
                _middle([one.first for one in alike]),
                _middle([one.second for one in alike]),
                f"{min(changes):+.0%} … {max(changes):+.0%}" if changes else "",
            )
        )
    columns = ("what", ">number", "first (median)", "second (median)", ">change")
    common.print_table(counted(len(found), "difference"), columns, rows)
    common.say("qvlm noise diff --all lists them one by one")


def _middle(values: Sequence[Any]) -> str:
    """The median of numbers; what is no number where all are the same, else how many there are."""
    numbers = [value for value in values if type(value) in (int, float)]
    if len(numbers) == len(values):
        return _shown(median(numbers))
    different = list(dict.fromkeys(map(_shown, values)))
    return different[0] if len(different) == 1 else f"{len(different)} different"


def _opened(*sources: str, max_age_days: float | None = None) -> list[Any]:
    """The noises; an unknown name is refused before Qiskit is imported."""
    from qvlm_qiskit.backends.table import check_noise

    for source in sources:
        check_noise(source)
    from qvlm_qiskit.backends import open_noise

    return [open_noise(source, max_age_days=max_age_days) for source in sources]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
