"""``qvlm study replacement``: layers of a small network replaced by circuits, with controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qvlm_qiskit.studies.grid_study import Printed, Study
from qvlm_qiskit.studies.registry import study
from qvlm_qiskit.studies.replacement.options import ReplacementOptions

if TYPE_CHECKING:
    from qvlm_qiskit.studies.replacement.cells import Cell

Row = dict[str, Any]


@study
class ReplacementStudy(Study[ReplacementOptions, "Cell"]):
    """Convolutions and a linear layer replaced by circuits, one after the other.

    The ladder of arXiv:2409.17583 with the controls that it lacks: ReLU, kernels of the same kind,
    twins of as many numbers, and circuits that are not trained.
    """

    name = "replacement"
    title = "Layers replaced by circuits, one after the other"
    options_type = ReplacementOptions
    template = "replacement.html.j2"
    grows = frozenset({"variants", "learning_rates", "seeds"})

    def cells(self) -> list[Cell]:
        """Every variant with every rate from every seed."""
        from qvlm_qiskit.studies.replacement.cells import all_cells

        return all_cells(self.options)

    def rehearse(self, cells: Sequence[Cell]) -> None:
        """Open the data and build every network."""
        from qvlm_qiskit.studies.replacement.cells import rehearse

        rehearse(self.options)

    def compute(self, cell: Cell) -> Row:
        """One training."""
        from qvlm_qiskit.studies.replacement.cells import train_cell

        return train_cell(cell, self.options)

    def summarise(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Rates, accuracies and differences."""
        from qvlm_qiskit.studies.replacement.summary import summarise

        return {"classes": rows[0]["classes"], "total": rows[0]["total"], **summarise(rows)}

    def label(self, row: Row) -> str:
        """The variant and its accuracy."""
        return f"{row['variant']}: {row['correct'] / row['total']:.1%}"

    def flat(self, row: Row) -> dict[str, Any]:
        """Without the losses of every epoch, which results.json has."""
        return {name: value for name, value in super().flat(row).items() if name != "losses"}

    def context(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """Results and plots."""
        import math

        from qvlm_qiskit.studies.replacement.plots import differences_plot, ladder_plot

        found = results["differences"]
        others = math.log1p((results["classes"] - 1) / math.e)
        plots = {
            "plot": ladder_plot(results["points"]),
            "differences_plot": differences_plot(found) if found else "",
        }
        return {**results, **plots, "least_loss": others}

    def printed(self, results: Mapping[str, Any]) -> Sequence[Printed]:
        """Accuracies, and differences from the controls."""
        points = Printed(
            "test accuracy; published: MNIST with other sizes, not comparable",
            ("network", ">numbers", ">rate", ">ms", ">test accuracy [95 %]", ">published"),
            [_point(one) for one in results["points"]],
        )
        found = [_difference(one) for one in results["differences"]]
        title = "differences of test accuracy in points, paired by seed"
        return [points, Printed(title, ("difference", ">points [95 %]", "so it is"), found)]


def _point(one: Mapping[str, Any]) -> list[str]:
    from qvlm_qiskit.studies.reports.templates import interval

    return [
        one["variant"],
        f"{one['parameters']:,}",
        f"{one['rate']:g}",
        f"{one['step_ms']:.1f}",
        interval(one["accuracy"], 100, "%", scope=False),
        "" if one["published"] is None else f"({one['published']:.2f})",
    ]


def _difference(one: Mapping[str, Any]) -> list[str]:
    from qvlm_qiskit.studies.reports.templates import interval

    found = interval(one["difference"], 100, "", sign=True, scope=False)
    return [one["what"], found, one["says"].split(":")[0]]
