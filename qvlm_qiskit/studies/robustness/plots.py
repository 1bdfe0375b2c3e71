"""Accuracy against the size of an attack, as SVG text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from qvlm_qiskit.studies.reports.plots import LINES, STYLE, as_svg, listed, reach
from qvlm_qiskit.studies.robustness.summary import CLEAN

PANELS = {"random": "random change", "fgsm": "FGSM", "pgd": "PGD", "from others": "made for others"}


def attacks_plot(points: Sequence[Mapping[str, Any]]) -> str:
    """A panel for each attack, a line for each variant, with 95 % intervals."""
    variants = list(dict.fromkeys(point["variant"] for point in points))
    attacks = [name for name in PANELS if any(point["attack"] == name for point in points)]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.0), layout="constrained")
        panels = figure.subplots(1, len(attacks), sharey=True, squeeze=False)[0]
        for axes, attack in zip(panels, attacks, strict=True):
            for number, variant in enumerate(variants):
                own = [
                    one for one in points
                    if one["variant"] == variant and one["attack"] in (CLEAN, attack)
                ]  # fmt: skip
                found = [one["accuracy"] for one in own]
                axes.errorbar(
                    [one["epsilon"] for one in own],
                    [one["mean"] for one in found],
                    yerr=list(zip(*map(reach, found), strict=True)),
                    capsize=2,
                    marker=".",
                    color=LINES[number % len(LINES)],
                    label=variant,
                )
            axes.set(title=PANELS[attack], xlabel="ε", ylim=(-0.02, 1.02))
        panels[0].set_ylabel("accuracy")
        panels[0].legend(frameon=False, fontsize=8)
        pairs = [
            (f"{one['variant']} at {one['epsilon']:g}", one["accuracy"]["mean"])
            for one in points
            if one["attack"] == "pgd"
        ]
        return as_svg(figure, listed("Accuracy under PGD", pairs, ".1%"))
