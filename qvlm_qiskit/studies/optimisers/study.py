"""``qvlm study optimisers``: what optimisers of a variational classifier reach, by circuits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qvlm_qiskit.studies.grid_study import Printed, Study
from qvlm_qiskit.studies.optimisers.options import OptimiserOptions
from qvlm_qiskit.studies.registry import study

if TYPE_CHECKING:
    from qvlm_qiskit.studies.optimisers.cells import Cell

Row = dict[str, Any]


@study
class OptimiserStudy(Study[OptimiserOptions, "Cell"]):
    """Optimisers of a variational classifier: loss and accuracy against circuits.

    Five principal components go into EfficientSU2, as in arXiv:2102.08949. Every optimiser has the
    same budget of circuits: a machine's rows, two for each angle and sample of a gradient.
    """

    name = "optimisers"
    title = "Optimisers of a variational classifier, by the circuits they cost"
    options_type = OptimiserOptions
    template = "optimisers.html.j2"
    grows = frozenset({"data", "optimisers", "seeds", "tuning_seeds", "against"})

    def cells(self) -> list[Cell]:
        """Every optimiser and step size on all data, from all seeds."""
        from qvlm_qiskit.studies.optimisers.cells import all_cells

        return all_cells(self.options)

    def compute(self, cell: Cell) -> Row:
        """One training."""
        from qvlm_qiskit.studies.optimisers.cells import train_cell

        return train_cell(cell, self.options)

    def summarise(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Step sizes, points and differences."""
        from qvlm_qiskit.studies.optimisers.summary import summarise

        return summarise(rows, self.options.against)

    def label(self, row: Row) -> str:
        """The optimiser and its loss."""
        return f"{row['optimiser']}: {row['loss']:.3f}"

    def flat(self, row: Row) -> dict[str, Any]:
        """Without curves, which results.json has."""
        return {name: value for name, value in super().flat(row).items() if "curve" not in name}

    def context(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """Results, plots, and what a step of each optimiser costs."""
        from qvlm_qiskit.studies.optimisers.cells import least_loss
        from qvlm_qiskit.studies.optimisers.plots import curves_plot
        from qvlm_qiskit.studies.optimisers.ways import WAYS

        gradients = frozenset(name for name, way in WAYS.items() if "p" in way.cost)
        data = dict.fromkeys(point["data"] for point in results["points"])
        plots = {
            name: curves_plot([o for o in results["points"] if o["data"] == name], gradients)
            for name in data
        }
        costs = {name: WAYS[name].cost for name in self.options.optimisers}
        about = {"angles": self.options.angles, "least_loss": least_loss()}
        return {**results, **about, "plots": plots, "costs": costs}

    def printed(self, results: Mapping[str, Any]) -> Sequence[Printed]:
        """For each data set: losses at three budgets, and what is left of them at the end."""
        tables = []
        for data, linear in results["linear"].items():
            points = [one for one in results["points"] if one["data"] == data]
            title = f"{data}: training loss ± 95 % at 1 %, 10 % and all of the circuits"
            tables.append(Printed(title, _LOSSES, [_losses(one) for one in points]))
            title = (
                f"{data}: at the end, and its loss less that of {self.options.against}; logistic "
                f"regression {_percent(linear)}"
            )
            tables.append(Printed(title, _ENDS, [_end(one) for one in points]))
        return tables


_LOSSES = ("optimiser", ">step", ">1 %", ">10 %", ">all")
_ENDS = ("optimiser", ">test accuracy [95 %]", ">difference of loss [95 %]")


def _losses(point: Mapping[str, Any]) -> list[str]:
    found = [_with_reach(one["loss"]) for one in point["budgets"]]
    return [point["optimiser"], f"{point['step']:g}", *found]


def _with_reach(found: Mapping[str, Any]) -> str:
    if found["low"] is None:
        return f"{found['mean']:.3f}"
    return f"{found['mean']:.3f} ± {found['high'] - found['mean']:.3f}"


def _end(point: Mapping[str, Any]) -> list[str]:
    from qvlm_qiskit.studies.reports.templates import interval

    last = point["budgets"][-1]
    difference = "–"
    if last["difference"] is not None:
        difference = interval(last["difference"]["loss"], 1, "", sign=True, digits=3)
    return [point["optimiser"], _percent(last["accuracy"]), difference]


def _percent(entry: Mapping[str, Any]) -> str:
    from qvlm_qiskit.studies.reports.templates import interval

    return interval(entry, 100, "%", scope=False)
