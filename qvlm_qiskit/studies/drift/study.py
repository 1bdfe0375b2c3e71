"""``qvlm study drift``: the same weights on one calibration after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qvlm_qiskit.basics.counted import counted
from qvlm_qiskit.studies.drift.options import DriftOptions
from qvlm_qiskit.studies.grid_study import Printed, Study
from qvlm_qiskit.studies.registry import study

if TYPE_CHECKING:
    from qvlm_qiskit.studies.drift.cells import Cell

Row = dict[str, Any]
COLUMNS: Mapping[str, str] = {
    "key": "string", "run": "string", "seed": "int64", "calibration": "string",
    "device": "string", "calibrated_utc": "string", "mitigation": "string", "correct": "int64",
    "total": "int64", "accuracy": "float64", "low": "float64", "high": "float64",
    "success": "float64", "rms": "float64", "seconds": "float64",
}  # fmt: skip
"""Columns that every row has, with their types as Arrow names them."""


@study
class DriftStudy(Study[DriftOptions, "Cell"]):
    """The same weights on one calibration after another: accuracy and errors of ⟨Z⟩.

    Nothing is trained. Calibrations are the fake devices' and those that qvlm noise save has kept.
    """

    name = "drift"
    title = "The same weights on one calibration after another"
    options_type = DriftOptions
    template = "drift.html.j2"
    grows = frozenset({"runs", "calibrations", "mitigations", "questions", "rows", "shots"})
    columns = COLUMNS

    def cells(self) -> list[Cell]:
        """Every run exactly, and on every calibration with every technique."""
        from qvlm_qiskit.studies.drift.cells import all_cells

        return all_cells(self.options)

    def identity(self, cell: Cell) -> dict[str, Any]:
        """The weights, the calibration's content, the machine and the questions."""
        from qvlm_qiskit.studies.drift.cells import identity

        return identity(cell, self.options)

    def rehearse(self, cells: Sequence[Cell]) -> None:
        """Open a machine with each technique."""
        from qvlm_qiskit.studies.drift.cells import rehearse

        rehearse(self.options, cells)

    def compute(self, cell: Cell) -> Row:
        """Evaluate a run on a calibration."""
        from qvlm_qiskit.studies.drift.cells import evaluate_cell

        return evaluate_cell(cell, self.options)

    def summarise(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Points and their spread over calibrations."""
        from qvlm_qiskit.studies.drift.summary import summarise

        return summarise(rows)

    def label(self, row: Row) -> str:
        """The calibration and the accuracy."""
        return f"{row['calibration']}: {row['accuracy']:.1%}"

    def flat(self, row: Row) -> dict[str, Any]:
        """One column per number."""
        flat = {name: row[name] for name in self.columns} | dict(row["noise"])
        names = ("rms", "bias", "two_qubit_gates", "estimated_success_probability")
        return flat | {f"{n} {b['block']}": b[n] for b in row["blocks"] for n in names}

    def context(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """Results and the plot."""
        from qvlm_qiskit.studies.drift.plots import drift_plot

        exact = results["exact"]
        plot = drift_plot(results["points"], None if exact is None else exact["mean"])
        return {**results, "plot": plot}

    def printed(self, results: Mapping[str, Any]) -> Sequence[Printed]:
        """Every calibration, and the spread over them."""
        exact = results["exact"]
        several = counted(results["spread"][0]["calibrations"], "calibration")
        return [
            Printed(f"exactly {_percent(exact)}; calibrations by date", _POINT, _points(results)),
            Printed(
                f"over {several}, 95 % intervals of the mean over them",
                _SPREAD,
                _spread(results),
            ),
        ]


_POINT = ("calibrated", "device", "mitigation", ">exact match [95 %]", ">RMS ⟨Z⟩")
_SPREAD = ("mitigation", "of", ">mean [95 %]", ">least", ">most")


def _points(results: Mapping[str, Any]) -> list[list[str]]:
    return [
        [
            one["calibrated_utc"][:10],
            one["device"],
            one["mitigation"],
            _percent(one["accuracy"]),
            f"{one['rms']['mean']:.3f}",
        ]
        for one in results["points"]
    ]


def _spread(results: Mapping[str, Any]) -> list[list[str]]:
    from qvlm_qiskit.studies.reports.templates import interval

    found = []
    for one in results["spread"]:
        ends = [f"{one['accuracy'][end]:.1%}" for end in ("least", "most")]
        found.append([one["mitigation"], "exact match", _percent(one["accuracy"]), *ends])
        ends = [f"{one['rms'][end]:.3f}" for end in ("least", "most")]
        mean = interval(one["rms"], 1, "", digits=3, scope=False)
        found.append([one["mitigation"], "RMS ⟨Z⟩", mean, *ends])
    return found


def _percent(entry: Mapping[str, Any]) -> str:
    from qvlm_qiskit.studies.reports.templates import interval

    return interval(entry, 100, "%", scope=False)
