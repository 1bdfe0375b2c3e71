"""``qvlm study zne``: extrapolation over a grid of error probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qvlm_qiskit.studies.grid_study import Printed
from qvlm_qiskit.studies.registry import study
from qvlm_qiskit.studies.sectioned import Section, SectionedStudy
from qvlm_qiskit.studies.zne.options import ZneOptions

if TYPE_CHECKING:
    from qvlm_qiskit.studies.zne.cells import Cell

Row = dict[str, Any]
COLUMNS: Mapping[str, str] = {
    "key": "string", "qubits": "int64", "layers": "int64", "seed": "int64", "exact": "float64",
    "spread": "float64",
}  # fmt: skip
OVERALL_NOTE = (
    "Absolute error of ⟨Z…Z⟩ at p = 0, the mean over circuits with 95 % intervals; "
    "differences from the linear fit are paired by circuit, below 0 is better. “network” is the "
    "mean error of single networks, “mean of networks” that of their average."
)
SPREAD_NOTE = (
    "The standard deviation of what networks with other initial values say of the same points: an "
    "error that no number of shots makes smaller."
)


@study
class ZneStudy(SectionedStudy[ZneOptions, "Cell"]):
    """Extrapolation to zero noise over a grid of error probabilities: networks and fits.

    Random circuits of RY, RZ and CX are measured under depolarising noise of several strengths; a
    network from p to E(p) is read at p = 0, beside linear, exponential and Richardson fits.
    """

    name = "zne"
    title = "Zero-noise extrapolation: a network from p to E(p), and fits"
    intro = (
        "⟨Z…Z⟩ of random circuits is measured under depolarising noise of several "
        "probabilities p and extrapolated to p = 0, by a network that was trained on these points "
        "alone (after arXiv:2403.07025) and by fits with two parameters or as many as points."
    )
    options_type = ZneOptions
    grows = frozenset({"qubits", "layers", "seeds"})
    columns = COLUMNS

    def cells(self) -> list[Cell]:
        """Every circuit."""
        from qvlm_qiskit.studies.zne.cells import all_cells

        return all_cells(self.options)

    def rehearse(self, cells: Sequence[Cell]) -> None:
        """Open the first machine."""
        from qvlm_qiskit.backends import open_backend
        from qvlm_qiskit.studies.zne.cells import FOLDED

        mitigation = FOLDED if self.options.folded else "none"
        if self.options.shots:
            open_backend(
                "noisy:depolarizing(0.01)", shots=self.options.shots, mitigation=mitigation
            )

    def compute(self, cell: Cell) -> Row:
        """All extrapolations of one circuit."""
        from qvlm_qiskit.studies.zne.cells import compute

        return compute(cell, self.options)

    def summarise(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Errors, differences and spread."""
        from qvlm_qiskit.studies.zne.summary import summarise

        return summarise(rows)

    def label(self, row: Row) -> str:
        """The errors of the network and of the linear fit."""
        found = row["errors"]
        return f"network {found['network']:.3f}, linear {found['linear']:.3f}"

    def sections(self, results: Mapping[str, Any]) -> Sequence[Section]:
        """All circuits together, each width and depth, and the networks' spread."""
        from qvlm_qiskit.studies.reports.curves import Axis, curves_plot

        points = [{**one, "depth": f"{one['layers']} layers"} for one in results["points"]]
        error = Axis("error", "mean absolute error", log=True)
        plot = curves_plot(points, Axis("qubits", "qubits"), error, "method", "depth")
        return [
            Section(
                Printed("errors over all circuits", _OVERALL, _overall(results)), OVERALL_NOTE, plot
            ),
            Section(Printed("errors by width × depth", _POINT, _points(results))),
            Section(Printed("networks of one circuit", _SPREAD, _spread(results)), SPREAD_NOTE),
        ]


_OVERALL = ("method", ">of", ">mean error [95 %]", ">from linear [95 %]")
_POINT = ("circuit", "method", ">mean error [95 %]", ">from linear [95 %]")
_SPREAD = ("circuit", ">deviation over networks [95 %]")


def _overall(results: Mapping[str, Any]) -> list[list[str]]:
    against = {one["method"]: one["error"] for one in results["overall_differences"]}
    return [
        [one["method"], str(one["error"]["seeds"]), _text(one["error"]),
         _text(against.get(one["method"]), sign=True)]
        for one in results["overall"]
    ]  # fmt: skip


def _points(results: Mapping[str, Any]) -> list[list[str]]:
    def place(one: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(one[name] for name in ("qubits", "layers", "method"))

    against = {place(one): one["error"] for one in results["differences"]}
    return [
        [_size(one), one["method"], _text(one["error"]), _text(against.get(place(one)), sign=True)]
        for one in results["points"]
    ]


def _size(one: Mapping[str, Any]) -> str:
    return f"{one['qubits']} × {one['layers']}"


def _spread(results: Mapping[str, Any]) -> list[list[str]]:
    return [[_size(one), _text(one["spread"])] for one in results["spread"]]


def _text(found: Mapping[str, Any] | None, sign: bool = False) -> str:
    from qvlm_qiskit.studies.reports.templates import interval

    return "" if found is None else interval(found, 1, "", digits=3, sign=sign, scope=False)
