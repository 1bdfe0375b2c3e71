"""Draws what finished comparisons answered, right and wrong: pictures for docs/results.md.

    python docs/make_answers.py STUDY...

STUDY is a folder of `qvlm study compare`; its data must still be where it was. Each leaves
docs/answers-NAME.jpg, NAME being the folder's.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qvlm_qiskit.studies.compare.examples import EACH, examples
from qvlm_qiskit.studies.compare.options import CompareOptions
from qvlm_qiskit.studies.compare.study import CompareStudy
from qvlm_qiskit.studies.reports.plots import STYLE

WIDTH = 24
"""Letters of a line below a picture."""


def pictures_of(study: Path) -> list[dict[str, Any]]:
    """The examples of a study's folder."""
    results = json.loads((study / "results.json").read_text(encoding="utf-8"))
    known = {field.name for field in dataclasses.fields(CompareOptions)}
    asked = {name: value for name, value in results["grid"].items() if name in known}
    tuples = {name: tuple(value) for name, value in asked.items() if isinstance(value, list)}
    options = CompareOptions(**{**asked, **tuples})
    return examples(options, CompareStudy(options, study).context(results)["rows"])


def figure_of(found: Sequence[Mapping[str, Any]]) -> Figure:
    """Right answers of the first model in the upper row, wrong ones in the lower one."""
    first = next(iter(found[0]["answers"]))
    sides = [[one for one in found if (first in one["wrong"]) == wrong] for wrong in (False, True)]
    rows = [side for side in sides if side]
    tall = max(one["image"].height / one["image"].width for one in found)
    with matplotlib.rc_context(STYLE):
        height = len(rows) * (1.75 * min(tall, 1.0) + 1.15)
        figure = Figure(figsize=(7.2, height))
        figure.subplots_adjust(
            left=0.01, right=0.99, top=1 - 0.4 / height, bottom=0.75 / height, wspace=0.06,
            hspace=0.45 / tall,
        )  # fmt: skip
        panels = figure.subplots(len(rows), EACH, squeeze=False)
        for axes in panels.flat:
            axes.set_axis_off()
        for row, side in zip(panels, rows, strict=True):
            for axes, one in zip(row, side, strict=False):
                _draw(axes, one, first)
    return figure


def _draw(axes: Axes, one: Mapping[str, Any], first: str) -> None:
    axes.imshow(one["image"].convert("RGB"))
    said = one["answers"][first] or "(nothing)"
    colour = "#b3261e" if first in one["wrong"] else "#1b6e3c"
    text = textwrap.fill(said, WIDTH)
    asked = textwrap.fill(one["question"], WIDTH)
    axes.set_title(asked, fontsize=7.5, color="#444444")
    expected = textwrap.fill(f"expected: {one['expected']}", WIDTH)
    _below(axes, text, 4, 8, colour)
    if first in one["wrong"]:
        _below(axes, expected, 8 + 11 * (text.count("\n") + 1), 7.5, "#444444")


def _below(axes: Axes, text: str, points: float, size: float, colour: str) -> None:
    axes.annotate(text, (0.5, 0), xycoords="axes fraction", xytext=(0, -points),
                  textcoords="offset points", fontsize=size, color=colour, ha="center",
                  va="top")  # fmt: skip


def main() -> None:
    """Draw every study that was named."""
    if len(sys.argv) == 1:
        sys.exit(__doc__)
    for study in map(Path, sys.argv[1:]):
        place = Path(__file__).with_name(f"answers-{study.name}.jpg")
        figure_of(pictures_of(study)).savefig(place, dpi=110, pil_kwargs={"quality": 82})
        print(place)


if __name__ == "__main__":
    main()
