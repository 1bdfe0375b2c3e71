"""``qvlm study kernels``: quantum kernels beside classical ones, in five parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qvlm_qiskit.studies.grid_study import Printed, Study
from qvlm_qiskit.studies.kernels.options import KernelOptions
from qvlm_qiskit.studies.registry import study

if TYPE_CHECKING:
    from qvlm_qiskit.studies.kernels.cells import Cell

Row = dict[str, Any]
COLUMNS: Mapping[str, str] = {
    "key": "string", "part": "string", "subject": "string", "model": "string",
    "size": "int64", "seed": "int64", "seconds": "float64",
}  # fmt: skip
"""Columns that every row has, with their types as Arrow names them."""


@study
class KernelStudy(Study[KernelOptions, "Cell"]):
    """Quantum kernels beside classical ones: classes, concentration, numbers, causes.

    Everything is computed exactly, from states. Sets ship with scikit-learn and statsmodels; ad-hoc
    data are made for the kernel of Havlíček et al. and say nothing about other data.
    """

    name = "kernels"
    title = "Quantum kernels beside classical ones"
    options_type = KernelOptions
    template = "kernels.html.j2"
    grows = frozenset(
        {
            "parts", "data", "regressions", "features", "points", "qubits", "samples", "draws",
            "seeds",
        }
    )  # fmt: skip
    columns = COLUMNS

    def cells(self) -> list[Cell]:
        """Every model on every set, size and seed, by part."""
        from qvlm_qiskit.studies.kernels.cells import all_cells

        return all_cells(self.options)

    def identity(self, cell: Cell) -> dict[str, Any]:
        """The cell, and the sizes that its part depends on."""
        from qvlm_qiskit.studies.kernels.cells import identity

        return identity(cell, self.options)

    def rehearse(self, cells: Sequence[Cell]) -> None:
        """Open every set."""
        from qvlm_qiskit.studies.kernels.cells import rehearse

        rehearse(self.options)

    def compute(self, cell: Cell) -> Row:
        """Learn and test one model."""
        from qvlm_qiskit.studies.kernels.cells import compute_cell

        return compute_cell(cell, self.options)

    def summarise(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Means and differences by part."""
        from qvlm_qiskit.studies.kernels.summary import summarise

        return summarise(rows)

    def label(self, row: Row) -> str:
        """Part, set and model."""
        return " ".join(str(row[name]) for name in ("part", "subject", "model") if row[name])

    def context(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """Results and plots."""
        from qvlm_qiskit.studies.kernels import plots
        from qvlm_qiskit.studies.kernels.independence import CASES, REFERENCE

        drawn = {
            "classification": lambda found: plots.bars_plot(
                found, "accuracy", "accuracy, %", 100, ".1f"
            ),
            "concentration": plots.concentration_plot,
            "regression": lambda found: plots.bars_plot(found, "r2", "R² on new points"),
            "independence": plots.rejections_plot,
        }
        made = {name: draw(results[name]) for name, draw in drawn.items() if results[name]}
        return {**results, "plots": made, "cases": CASES, "gaussian": REFERENCE}

    def printed(self, results: Mapping[str, Any]) -> Sequence[Printed]:
        """A table for each part."""
        from qvlm_qiskit.studies.kernels.tables import printed

        return printed(results)
