"""``qvlm study shrinking``: QAOA as a whole, and by merging what is correlated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qvlm_qiskit.studies.grid_study import Printed
from qvlm_qiskit.studies.registry import study
from qvlm_qiskit.studies.sectioned import Section, SectionedStudy
from qvlm_qiskit.studies.shrinking.options import ShrinkingOptions

if TYPE_CHECKING:
    from qvlm_qiskit.studies.shrinking.cells import Cell

Row = dict[str, Any]
COLUMNS: Mapping[str, str] = {
    "key": "string", "problem": "string", "seed": "int64", "qubits": "int64", "best": "float64",
}  # fmt: skip
POINT_NOTE = (
    "Means over problems with 95 % intervals. “feasible” is before the repair; “ratio” is the "
    "repaired answer's value over the best one's (for costs the inverse), “optimal” how often it "
    "is the best one. “random” is repaired like the others: what it reaches is the repair's merit."
)
DIFFERENCE_NOTE = (
    "Ratios after the repair, paired by problem; above 0 is better. “by couplings” merges in the "
    "same way, by the coefficients of the Ising model instead of a circuit's correlations."
)
SAMPLE_NOTE = "Of the assignments that are read from a circuit, or drawn at random."
MERGE_NOTE = (
    "Merges by circuits, those that the constraints did not allow, and circuits that were run."
)


@study
class ShrinkingStudy(SectionedStudy[ShrinkingOptions, "Cell"]):
    """Graph shrinking with QAOA: independent sets, knapsacks and assignments.

    Variables whose correlation in a trained QAOA circuit is strong are merged until few are left;
    beside it plain QAOA, the same merging without circuits, a greedy rule and random samples.
    """

    name = "shrinking"
    title = "Optimisation with QAOA: all at once, and by merging variables"
    intro = (
        "Answers are checked against the constraints and repaired by the same greedy rule, "
        "wherever they come from; the best answers are known by trying all."
    )
    options_type = ShrinkingOptions
    grows = frozenset({"problems", "seeds"})
    columns = COLUMNS

    def cells(self) -> list[Cell]:
        """Every problem."""
        from qvlm_qiskit.studies.shrinking.cells import all_cells

        return all_cells(self.options)

    def rehearse(self, cells: Sequence[Cell]) -> None:
        """Refuse problems of which nothing would be merged."""
        from qvlm_qiskit.studies.shrinking.cells import check_left

        check_left(cells, self.options)

    def compute(self, cell: Cell) -> Row:
        """What every method answers."""
        from qvlm_qiskit.studies.shrinking.cells import compute

        return compute(cell, self.options)

    def summarise(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Rates, ratios and differences."""
        from qvlm_qiskit.studies.shrinking.summary import summarise

        return summarise(rows)

    def label(self, row: Row) -> str:
        """Both ratios."""
        found = row["methods"]
        ratios = (found[name]["ratio"] for name in ("shrinking", "QAOA"))
        return "{}: shrinking {:.2f}, QAOA {:.2f}".format(row["problem"], *ratios)

    def sections(self, results: Mapping[str, Any]) -> Sequence[Section]:
        """Ratios, differences, samples and merges."""
        from qvlm_qiskit.studies.reports.curves import Axis, curves_plot

        ratio = Axis("ratio", "ratio after repair")
        plot = curves_plot(results["points"], Axis("method", ""), ratio, "problem", "problem")
        return [
            Section(Printed("answers", _POINT, _points(results)), POINT_NOTE, plot),
            Section(Printed("ratio against", _AGAINST, _against(results)), DIFFERENCE_NOTE),
            Section(Printed("feasible samples", _SAMPLE, _samples(results)), SAMPLE_NOTE),
            Section(Printed("merges", _MERGE, _merges(results)), MERGE_NOTE),
        ]


_POINT = ("problem", "method", ">feasible", ">ratio [95 %]", ">optimal")
_AGAINST = ("problem", "method", "against", ">difference of ratios [95 %]")
_SAMPLE = ("problem", "method", ">feasible, % [95 %]")
_MERGE = ("problem", ">merges", ">not allowed", ">circuits", ">plain QAOA's")


def _points(results: Mapping[str, Any]) -> list[list[str]]:
    return [
        [
            one["problem"],
            one["method"],
            f"{one['feasible']['mean']:.0%}",
            _text(one["ratio"], 1, 3),
            f"{one['optimal']['mean']:.0%}",
        ]
        for one in results["points"]
    ]


def _against(results: Mapping[str, Any]) -> list[list[str]]:
    both = [("QAOA", "differences"), ("by couplings", "against_couplings")]
    return [
        [one["problem"], one["method"], other, _text(one["ratio"], 1, 3, sign=True)]
        for other, name in both
        for one in results[name]
    ]


def _samples(results: Mapping[str, Any]) -> list[list[str]]:
    return [
        [one["problem"], one["method"], _text(one["feasible_samples"], 100, 1)]
        for one in results["samples"]
    ]


def _merges(results: Mapping[str, Any]) -> list[list[str]]:
    circuits = {
        (one["problem"], one["method"]): f"{one['circuits']['mean']:,.0f}"
        for one in results["points"]
    }
    return [
        [
            one["problem"],
            f"{one['merges']['mean']:.1f}",
            f"{one['refused']['mean']:.1f}",
            circuits[one["problem"], "shrinking"],
            circuits[one["problem"], "QAOA"],
        ]
        for one in results["merges"]
    ]


def _text(found: Mapping[str, Any], factor: float, digits: int, sign: bool = False) -> str:
    from qvlm_qiskit.studies.reports.templates import interval

    return interval(found, factor, "", digits=digits, sign=sign, scope=False)
