"""``qvlm study ablation``: what each quantum block adds, over seeds, with parameters alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qvlm_qiskit.studies.ablation.options import AblationOptions
from qvlm_qiskit.studies.compare.study import CompareStudy
from qvlm_qiskit.studies.grid_study import Printed
from qvlm_qiskit.studies.registry import study

if TYPE_CHECKING:
    from qvlm_qiskit.studies.compare.cells import Cell

Row = dict[str, Any]


@study
class AblationStudy(CompareStudy):
    """Every block quantum, matched classical, frozen random or absent, and plain baselines.

    All are trained with the same data, seeds and budget, and asked the same questions; gates over
    the steps and what each part of a step takes stand beside.
    """

    name = "ablation"
    title = "What each quantum block adds"
    options_type = AblationOptions
    template = "ablation.html.j2"
    options: AblationOptions

    def compute(self, cell: Cell) -> Row:
        """Evaluate a variant on a machine, with what its training left."""
        from qvlm_qiskit.studies.ablation.learned import cost_of_parts, learned
        from qvlm_qiskit.studies.compare.cells import EXACT, model_folder
        from qvlm_qiskit.studies.compare.variants import has_blocks

        row = super().compute(cell)
        if cell.machine == EXACT and has_blocks(cell.variant):
            row |= learned(model_folder(self.folder, cell))
        if (cell.variant, cell.machine, cell.seed) == ("quantum", EXACT, 0) and self.options.rounds:
            row["profile"] = cost_of_parts(self.options)
        return row

    def summarise(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Points, differences, gates, and the cost of parts."""
        from qvlm_qiskit.studies.ablation.learned import trajectories

        return {
            **super().summarise(rows),
            "gates": trajectories(rows),
            "profile": next((row["profile"] for row in rows if "profile" in row), None),
        }

    def context(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """The comparison's, with plots."""
        from qvlm_qiskit.studies.ablation.plots import effects_plot, gates_plot

        found = super().context(results)
        labels = dict.fromkeys(
            one["label"] for one in found["differences"] if one["label"] not in found["hidden"]
        )
        effects = {
            label: effects_plot([o for o in found["differences"] if o["label"] == label], label)
            for label in labels
        }
        gates = found["gates"]
        return {**found, "effects": effects, "gates_plot": gates_plot(gates) if gates else ""}

    def printed(self, results: Mapping[str, Any]) -> Sequence[Printed]:
        """The comparison's tables, gates at the end, and what the parts of a step take."""
        tables = [*super().printed(results)]
        if results["gates"]:
            tables.append(Printed("gates γ", _GATES, _gates(results["gates"])))
        if results["profile"]:
            about = results["profile"]
            title = f"a step of {about['batch_size']} samples, forward + backward, ms"
            tables.append(Printed(title, _PARTS, _parts(about)))
        return tables


_GATES = ("model", "block", ">first", ">last", ">least", ">most", ">seeds")
_PARTS = ("part", ">quantum", ">twin", ">plain", ">share")


def _gates(found: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    return [
        [one["variant"], one["block"], f"{one['mean'][0]:.3f}", f"{one['mean'][-1]:.3f}",
         f"{one['low'][-1]:.3f}", f"{one['high'][-1]:.3f}", str(one["seeds"])]
        for one in found
    ]  # fmt: skip


def _parts(about: Mapping[str, Any]) -> list[list[str]]:
    parts = about["parts"]
    return [
        [
            part,
            *(
                f"{parts[kind][part]['forward_backward_ms']:.2f}" if part in parts[kind] else "–"
                for kind in ("quantum", "twin", "plain")
            ),
            f"{about['shares'][part]:.0%}" if part in about["shares"] else "",
        ]
        for part in parts["quantum"]
    ]
