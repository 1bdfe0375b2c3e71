"""The templates of the reports, with the filters that they share."""

from __future__ import annotations

import datetime
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    StrictUndefined,
    Template,
)
from markupsafe import Markup

from qvlm_qiskit.backends.backend import installed_versions
from qvlm_qiskit.basics.counted import counted
from qvlm_qiskit.evaluation.confusion import OTHERS
from qvlm_qiskit.studies.intervals import verdict
from qvlm_qiskit.studies.reports.plots import block_name

SUFFIX = ".j2"


def study_page(
    name: str, title: str, body: str, beside: Sequence[Path], context: Mapping[str, Any]
) -> str:
    """The page of a study: a heading, and what its template shows.

    Args:
        name: The study's.
        title: The heading.
        body: Jinja2 text, or the name of a file ``*.j2``.
        beside: Folders in which this file and those that it includes are looked for first.
        context: What the template knows as ``study``.

    Returns:
        HTML without references to other files.
    """
    environment = _environment(*beside)
    found = environment.get_template if body.endswith(SUFFIX) else environment.from_string
    shown = Markup(found(body).render(study=context, heading="h2"))
    page = environment.get_template("study.html.j2")
    return page.render(name=name, title=title, body=shown, made=made())


def made() -> dict[str, Any]:
    """When, with what and by which command a page is written."""
    program, *words = sys.argv or [""]
    return {
        "utc": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "versions": {**installed_versions(), "Python": platform.python_version()},
        "command": shlex.join([PurePath(program).name.replace("__main__.py", "qvlm"), *words]),
    }


def template(name: str) -> Template:
    """A template that escapes what it is given, and fails where something is missing."""
    return _environment().get_template(name)


def _environment(*folders: Path) -> Environment:
    """Templates of some folders and of this one, with the filters that they share."""
    environment = Environment(
        loader=ChoiceLoader(
            [FileSystemLoader(folders), PackageLoader("qvlm_qiskit.studies.reports", ".")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["others"] = OTHERS
    environment.filters.update(
        percent=lambda value: f"{value:.1%}",
        signed=lambda value: f"{100 * value:+.1f}",
        number=lambda value: f"{value:,}",
        counted=counted,
        block=block_name,
        percent_interval=lambda entry: interval(entry, 100, "%"),
        points_interval=lambda entry: interval(entry, 100, "", sign=True),
        nats_interval=lambda entry: interval(entry, 1, "", sign=True, digits=3),
        plain_interval=lambda entry: interval(entry, 1, "", digits=3),
        times=lambda value: "–" if value is None else f"× {value:g}",
        verdict=verdict,
    )
    return environment


def interval(
    entry: Mapping[str, Any],
    factor: float,
    unit: str,
    *,
    sign: bool = False,
    digits: int = 1,
    scope: bool = True,
) -> str:
    """A mean with its interval, as text; ``scope``: what an interval of one seed is over."""
    plus = "+" if sign else ""
    space = " " if unit else ""
    mean = f"{factor * entry['mean']:{plus}.{digits}f}{space}{unit}"
    if entry["low"] is None:
        return f"{mean} (one seed)"
    low, high = (f"{factor * entry[name]:{plus}.{digits}f}" for name in ("low", "high"))
    over = " (one seed, over questions)" if scope and entry.get("seeds") == 1 else ""
    return f"{mean} [{low}, {high}]{over}"
