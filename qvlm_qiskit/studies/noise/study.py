"""``qvlm study noise``: train what is missing, evaluate every cell once, summarise, report.

Beside the files of every study, STUDY/models has the run folders of the models that it trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qvlm_qiskit.studies.grid_study import Execution, Printed, Study, run_study
from qvlm_qiskit.studies.noise.grid import NoiseGrid, NoiseOptions
from qvlm_qiskit.studies.registry import study
from qvlm_qiskit.studies.study_folder import StudyFolder

if TYPE_CHECKING:
    from qvlm_qiskit.studies.noise.machines import Cell
    from qvlm_qiskit.studies.noise.models import StudyModel

Row = dict[str, Any]

COLUMNS: Mapping[str, str] = {
    "key": "string",
    "run": "string",
    "kind": "string",
    "blocks": "string",
    "seed": "int64",
    "trained_at": "float64",
    "device": "string",
    "strength": "float64",
    "mitigation": "string",
    "error_kinds": "string",
    "shots": "int64",
    "correct": "int64",
    "total": "int64",
    "accuracy": "float64",
    "low": "float64",
    "high": "float64",
    "loss": "float64",
    "seconds": "float64",
}
"""Columns that every row has, with their types as Arrow names them."""


@study
class NoiseStudy(Study[NoiseOptions, "Cell"]):
    """How accuracy, loss and expectation values suffer under noise: a grid, row by row.

    The reports of runs that qvlm demo made get the study as a section.
    """

    name = "noise"
    title = "How noise hurts, and what helps"
    options_type = NoiseOptions
    template = "noise_section.html.j2"
    grows = frozenset(entry.name for entry in fields(NoiseGrid))
    columns = COLUMNS

    def cells(self) -> list[Cell]:
        """One for each model on each machine, and exactly."""
        from qvlm_qiskit.studies.noise.machines import study_cells

        return study_cells(self.options, self.models())

    def models(self) -> list[StudyModel]:
        """The runs that were given, and those to be trained beside them."""
        from qvlm_qiskit.runs import Run
        from qvlm_qiskit.studies.noise.models import study_models

        runs = [Run.open(path) for path in self.options.runs]
        return study_models(self.options, runs, self.folder / "models")

    def identity(self, cell: Cell) -> dict[str, Any]:
        """The model, the machine and the questions."""
        return cell.identity(self.options)

    def stored_options(self) -> dict[str, Any]:
        """The grid; what the runs are, every cell's key says."""
        stored = super().stored_options()
        del stored["runs"]
        return stored

    def rehearse(self, cells: Sequence[Cell]) -> None:
        """Run one row of every circuit on every machine."""
        from qvlm_qiskit.studies.noise.cells import rehearse

        rehearse(self.options, cells)

    def missing_models(self) -> list[StudyModel]:
        """Models of the grid that have no run folder yet."""
        return [
            model
            for model in self.models()
            if not model.given and not (model.path / "run.json").is_file()
        ]

    def train(self, model: StudyModel) -> None:
        """Train a model into its run folder, or go on with it."""
        from qvlm_qiskit.studies.noise.cells import train_model

        train_model(model)

    def compute(self, cell: Cell) -> Row:
        """Evaluate a model on a machine."""
        from qvlm_qiskit.studies.noise.cells import evaluate_cell

        return evaluate_cell(cell, self.options)

    def summarise(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Points, differences and gates."""
        from qvlm_qiskit.studies.noise.summary import summarise

        return summarise(rows)

    def label(self, row: Row) -> str:
        """The model and its accuracy."""
        return f"{row['kind']}, seed {row['seed']}: {row['accuracy']:.1%}"

    def flat(self, row: Row) -> dict[str, Any]:
        """One column per number, blocks and gates spelled out."""
        flat = {name: row.get(name) for name in self.columns}
        for entry in row["expectations"]:
            flat |= {f"{name} {entry['block']}": entry[name] for name in ("rows", "rms", "bias")}
        return flat | {f"gate {name}": value for name, value in row["gates"].items()}

    def context(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """Results, plots, words for the differences, and the answers that noise flips."""
        from qvlm_qiskit.studies.noise.flips import flipped_pictures
        from qvlm_qiskit.studies.noise.noise_report import noise_section

        return noise_section(results, flipped_pictures(results))

    def printed(self, results: Mapping[str, Any]) -> list[Printed]:
        """Accuracy and loss of every point, and what kinds of error do."""
        from qvlm_qiskit.studies.noise.printed import kinds_table, points_table

        points = points_table(results, str(self.folder))
        return [points, kinds_table(results["kinds"])] if results["kinds"] else [points]

    def notes(self) -> list[str]:
        """How long it will take, and reports of runs that are left alone."""
        from qvlm_qiskit.studies.demo.demo_report import find_reports
        from qvlm_qiskit.studies.noise.planned import planned

        folder = StudyFolder(self.folder, self.header, self.stored_options(), self.grows)
        missing = [cell for cell in self.cells() if self.key(cell) not in folder.rows]
        said = planned(self.options, missing, self.missing_models(), list(folder.rows.values()))
        return [said, *find_reports(self.options.runs)[1]]

    def publish(self, results: Mapping[str, Any]) -> list[Path]:
        """The reports of the demo's runs, with a section about this study."""
        from qvlm_qiskit.studies.demo.demo_report import find_reports

        reports, _ = find_reports(self.options.runs)
        return [report.with_study(results).write() for report in reports]


def run_noise_study(
    grid: NoiseGrid, runs: Sequence[Path], out: Path, execution: Execution | None = None
) -> dict[str, Any]:
    """Fill the folder of a noise study, and return what its ``results.json`` holds.

    Args:
        grid: What to do.
        runs: Trained run folders.
        out: The study's folder, new or of an earlier study.
        execution: How to carry it out.

    Raises:
        InputError: A grid that does not fit the runs, a folder of something else.
        QVLMError: Any refusal of a machine, before anything is trained.
    """
    return run_study(NoiseStudy(NoiseOptions.of(grid, runs), out), execution)
