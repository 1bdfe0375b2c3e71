"""``qvlm study robustness``: a hybrid model under attack, beside its classical twin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qvlm_qiskit.studies.grid_study import Printed, Study
from qvlm_qiskit.studies.registry import study
from qvlm_qiskit.studies.robustness.options import RobustnessOptions

if TYPE_CHECKING:
    from qvlm_qiskit.studies.robustness.cells import Cell

Row = dict[str, Any]
WHITE = ("none", "random", "fgsm", "pgd")
"""Attacks of the differences that the terminal shows."""


@study
class RobustnessStudy(Study[RobustnessOptions, "Cell"]):
    """A hybrid model under FGSM and PGD, beside its twin, a frozen circuit, and none.

    All have the same backbone, the same start of it, and as many parameters. Gradients go through
    the circuits; whether they mislead is checked.
    """

    name = "robustness"
    title = "A hybrid model under attack, beside its classical twin"
    options_type = RobustnessOptions
    template = "robustness.html.j2"
    grows = frozenset({"seeds"})

    def cells(self) -> list[Cell]:
        """Every variant from every seed."""
        from qvlm_qiskit.studies.robustness.cells import all_cells

        return all_cells(self.options)

    def rehearse(self, cells: Sequence[Cell]) -> None:
        """Open the data and build every model."""
        from qvlm_qiskit.studies.robustness.cells import rehearse

        rehearse(self.options)

    def missing_models(self) -> Sequence[Cell]:
        """Those that have no run folder yet."""
        from qvlm_qiskit.studies.robustness.cells import model_folder

        return [
            cell
            for cell in self.cells()
            if not (model_folder(self.folder, cell) / "run.json").is_file()
        ]

    def train(self, model: Cell) -> None:
        """Train a variant into its run folder."""
        from qvlm_qiskit.studies.robustness.cells import train_cell

        train_cell(self.options, model, self.folder)

    def compute(self, cell: Cell) -> Row:
        """Attack a model."""
        from qvlm_qiskit.studies.robustness.cells import attack_cell

        return attack_cell(self.options, cell, self.folder)

    def summarise(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Accuracies, differences and checks."""
        from qvlm_qiskit.studies.robustness.summary import summarise

        return summarise(rows)

    def label(self, row: Row) -> str:
        """The variant and its accuracy without an attack."""
        return f"{row['variant']}: {row['correct'] / row['total']:.1%}"

    def context(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """Results and the plot."""
        from qvlm_qiskit.studies.robustness.plots import attacks_plot
        from qvlm_qiskit.studies.robustness.summary import MASKED

        masked = sum(one["result"] == MASKED for one in results["checks"])
        return {**results, "plot": attacks_plot(results["points"]), "masked": masked}

    def printed(self, results: Mapping[str, Any]) -> Sequence[Printed]:
        """Accuracies by attack, differences, and checks that failed."""
        from qvlm_qiskit.studies.robustness.summary import SOUND

        variants = [one["variant"] for one in results["models"]]
        tables = [
            Printed(
                "accuracy under attack, %, ± 95 %; ε of a pixel's range from 0 to 1",
                ("attack", ">ε", *(f">{variant}" for variant in variants)),
                _accuracies(results["points"], variants),
            )
        ]
        if rows := _differences(results["differences"]):
            title = "quantum less each other, points, paired by seed"
            tables.append(Printed(title, _DIFFERENCE, rows))
        failed = [one for one in results["checks"] if one["result"] != SOUND]
        title = f"checks of masked gradients: {len(results['checks'])}, not ok {len(failed)}"
        tables.append(Printed(title, _CHECK, [_check(one) for one in failed]))
        return tables


_DIFFERENCE = ("less", "attack", ">ε", ">difference [95 %]", "so quantum is")
_CHECK = ("model", ">ε", "attack", "leaves more than", ">points [95 %]")


def _accuracies(points: Sequence[Mapping[str, Any]], variants: Sequence[str]) -> list[list[str]]:
    known = {(one["attack"], one["epsilon"], one["variant"]): one["accuracy"] for one in points}
    places = sorted(
        dict.fromkeys((one["attack"], one["epsilon"]) for one in points
                      if not one["attack"].startswith("from ") or one["attack"] == "from others"),
        key=lambda place: _ORDER.index(place[0]),
    )  # fmt: skip
    return [
        [attack, f"{epsilon:g}", *(_reach(known.get((attack, epsilon, v))) for v in variants)]
        for attack, epsilon in places
    ]


_ORDER = ("none", "random", "fgsm", "pgd", "pgd-more", "from others")


def _reach(found: Mapping[str, Any] | None) -> str:
    """Mean and the longer side of the interval, in percent."""
    if found is None:
        return "–"
    far = max(found["high"] - found["mean"], found["mean"] - found["low"])
    return f"{100 * found['mean']:.1f} ± {100 * far:.1f}"


def _differences(found: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    from qvlm_qiskit.studies.reports.templates import interval

    return [
        [one["variant"], one["attack"], f"{one['epsilon']:g}",
         interval(one["difference"], 100, "", sign=True, scope=False), one["says"].split(":")[0]]
        for one in found
        if one["attack"] in WHITE
    ]  # fmt: skip


def _check(one: Mapping[str, Any]) -> list[str]:
    from qvlm_qiskit.studies.reports.templates import interval

    left = interval(one["left"], 100, "", sign=True, scope=False)
    return [one["variant"], f"{one['epsilon']:g}", one["stronger"], one["weaker"], left]
