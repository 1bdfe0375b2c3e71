"""``qvlm study blocks``: every quantum block beside its twin, on the same data and budget.

Beside the files of every study, STUDY/models has the run folders of the models that it trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qvlm_qiskit.studies.blocks.options import BlocksOptions
from qvlm_qiskit.studies.grid_study import Printed, Study
from qvlm_qiskit.studies.registry import study

if TYPE_CHECKING:
    from qvlm_qiskit.studies.blocks.cells import Cell

Row = dict[str, Any]
COLUMNS: Mapping[str, str] = {
    "key": "string", "task": "string", "block": "string", "kind": "string", "seed": "int64",
    "mitigation": "string", "correct": "int64", "total": "int64", "accuracy": "float64",
    "low": "float64", "high": "float64", "loss": "float64", "parameters": "int64",
    "quantum_parameters": "int64", "seconds": "float64",
}  # fmt: skip
"""Columns that come first, with their types as Arrow names them."""


@study
class BlocksStudy(Study[BlocksOptions, "Cell"]):
    """Every quantum block beside its twin, its frozen version, a linear map and a small CNN.

    All stand at the same place between the same small maps, are trained with the same number of
    steps and samples, and asked the same questions; costs and noise of a device stand beside.
    """

    name = "blocks"
    title = "Quantum blocks beside their twins"
    options_type = BlocksOptions
    template = "blocks.html.j2"
    grows = frozenset(
        {
            "blocks", "seeds", "limit", "rounds", "device", "shots", "mitigation", "noisy_limit",
            "quick", "reads", "tokens",
        }
    )  # fmt: skip
    columns = COLUMNS

    def cells(self) -> Sequence[Cell]:
        """Every kind of every block, baselines, and what is measured once for each block."""
        from qvlm_qiskit.studies.blocks.cells import all_cells

        return all_cells(self.options)

    def identity(self, cell: Cell) -> Mapping[str, Any]:
        """The training, and what the cell's task looks at besides."""
        from qvlm_qiskit.studies.blocks.cells import LEARN, MACHINE, NOISE, TIME, training_of
        from qvlm_qiskit.studies.blocks.simulation import counts_terms

        asked = self.options
        more: dict[str, list[Any]] = {
            LEARN: [asked.limit],
            TIME: [asked.rounds],
            MACHINE: [asked.device, asked.shots, counts_terms()],
            NOISE: [asked.device, asked.shots, cell.mitigation, asked.limit, asked.noisy_limit],
        }
        training = training_of(asked, cell).facts()
        return {"task": cell.task, "training": training, "looks_at": more[cell.task]}

    def rehearse(self, cells: Sequence[Cell]) -> None:
        """Open data and device, and build every block."""
        from qvlm_qiskit.studies.blocks.cells import rehearse

        rehearse(self.options, cells)

    def missing_models(self) -> Sequence[Cell]:
        """Kinds and seeds that have no run folder yet."""
        from qvlm_qiskit.studies.blocks.cells import LEARN

        learned = [cell for cell in self.cells() if cell.task == LEARN]
        return [cell for cell in learned if not (self._model(cell) / "run.json").is_file()]

    def train(self, model: Cell) -> None:
        """Train a model into its run folder."""
        from qvlm_qiskit.studies.blocks.cells import train_model

        train_model(self.options, model, self._model(model))

    def compute(self, cell: Cell) -> Row:
        """What a cell's task asks for."""
        from qvlm_qiskit.studies.blocks import costs, noise
        from qvlm_qiskit.studies.blocks.cells import LEARN, MACHINE, TIME, answered

        head = {"task": cell.task, "block": cell.block, "kind": cell.kind, "seed": cell.seed}
        path = self._model(cell)
        if cell.task == LEARN:
            return {**head, **answered(self.options, cell, path)}
        if cell.task == TIME:
            return {**head, **costs.step_times(self.options, cell)}
        if cell.task == MACHINE:
            return {**head, **costs.on_machine(self.options, path)}
        head["mitigation"] = cell.mitigation
        return {**head, **noise.under_noise(self.options, cell, path)}

    def again(self, row: Row) -> bool:
        """Answers under noise of which another number would be asked today."""
        from qvlm_qiskit.studies.blocks.cells import NOISE
        from qvlm_qiskit.studies.blocks.noise import asked_otherwise

        return row["task"] == NOISE and asked_otherwise(self.options, row)

    def summarise(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Points, and what each block is like."""
        from qvlm_qiskit.studies.blocks.summary import summarise

        return summarise(rows)

    def notes(self) -> list[str]:
        """What can't be counted here."""
        from qvlm_qiskit.studies.blocks.simulation import counts_terms

        if counts_terms():
            return []
        return [
            "pauli-prop is not installed, so Pauli strings are not counted: "
            "pip install 'qvlm-qiskit[propagation]'"
        ]

    def label(self, row: Row) -> str:
        """What was done."""
        who = " ".join(part for part in (row["block"], row["kind"]) if part)
        said = f": {row['accuracy']:.1%}" if "accuracy" in row else ""
        return f"{row['task']}, {who}, seed {row['seed']}{said}"

    def context(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """Results, plots, drawings and published figures."""
        from qvlm_qiskit.studies.blocks.page import context

        return context(results)

    def printed(self, results: Mapping[str, Any]) -> Sequence[Printed]:
        """Accuracies, differences, costs, noise, and how hard the circuits are to simulate."""
        from qvlm_qiskit.studies.blocks.printed import tables

        return tables(results)

    def _model(self, cell: Cell) -> Path:
        from qvlm_qiskit.studies.blocks.cells import model_folder

        return model_folder(self.options, self.folder, cell)
