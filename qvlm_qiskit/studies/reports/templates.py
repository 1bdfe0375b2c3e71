"""The templates of the reports, with the filters that they share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from qvlm_qiskit.studies.reports.plots import block_name


def template(name: str) -> Template:
    """A template that escapes what it is given, and fails where something is missing."""
    environment = Environment(
        loader=PackageLoader("qvlm_qiskit.studies.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=lambda value: f"{value:.1%}",
        signed=lambda value: f"{100 * value:+.1f}",
        number=lambda value: f"{value:,}",
        block=block_name,
        percent_interval=lambda entry: interval(entry, 100, "%"),
        points_interval=lambda entry: interval(entry, 100, "", sign=True),
        nats_interval=lambda entry: interval(entry, 1, "", sign=True, digits=3),
        plain_interval=lambda entry: interval(entry, 1, "", digits=3),
        times=lambda value: "–" if value is None else f"× {value:g}",
    )
    return environment.get_template(name)


def interval(
    entry: Mapping[str, Any], factor: float, unit: str, *, sign: bool = False, digits: int = 1
) -> str:
    """A mean with its interval, as text."""
    plus = "+" if sign else ""
    space = " " if unit else ""
    mean = f"{factor * entry['mean']:{plus}.{digits}f}{space}{unit}"
    if entry["low"] is None:
        return f"{mean} (one seed)"
    low, high = (f"{factor * entry[name]:{plus}.{digits}f}" for name in ("low", "high"))
    return f"{mean} [{low}, {high}]"
