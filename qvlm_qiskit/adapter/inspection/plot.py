"""Entropy profiles as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from qvlm_qiskit.adapter.inspection.entanglement import EntropyProfile
from qvlm_qiskit.basics.files import check_plot
from qvlm_qiskit.errors import InputError


def plot_entropies(profiles: Sequence[EntropyProfile], path: Path) -> None:
    """One line per profile, in grey its control, and a mark where rows end and columns begin.

    Args:
        profiles: All of matrices with as many row and column bits, or the mark is left out.
        path: Of the picture, a .png, .svg or .pdf.

    Raises:
        InputError: No profiles, or a file that can't hold a picture.
    """
    if not profiles:
        raise InputError("there are no profiles to plot")
    check_plot(path)
    style = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(7.2, 4.0), layout="constrained")
        axes = figure.subplots()
        for number, one in enumerate(profiles):
            cuts = range(1, len(one.entropies) + 1)
            name = "random, of the same rank" if number == 0 else None
            axes.plot(cuts, one.control, color="#9a9a9a", linestyle="--", linewidth=1, label=name)
            axes.plot(cuts, one.entropies, marker=".", label=one.name or None)
        if len({(one.row_bits, one.column_bits) for one in profiles}) == 1:
            axes.axvline(
                profiles[0].row_bits, color="#303030", linestyle=":", label="rows | columns"
            )
        axes.set(xlabel="cut behind bit", ylabel="entropy, bits", ylim=(0, None))
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize=8)
        figure.savefig(path, dpi=150)
