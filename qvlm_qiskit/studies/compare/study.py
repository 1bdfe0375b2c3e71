"""``qvlm study compare``: train every variant, evaluate it, set it beside the others.

Beside the files of every study, STUDY/models has the run folders of the models that it trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qvlm_qiskit.basics.counted import counted
from qvlm_qiskit.basics.placed_names import PlacedName
from qvlm_qiskit.errors import QVLMError
from qvlm_qiskit.studies.compare.options import CompareOptions
from qvlm_qiskit.studies.compare.variants import MAJORITY
from qvlm_qiskit.studies.grid_study import Printed, Study
from qvlm_qiskit.studies.registry import study

if TYPE_CHECKING:
    from qvlm_qiskit.studies.compare.cells import Cell

Row = dict[str, Any]
HIDDEN = ("BLEU-1", "BLEU-2", "BLEU-3")
"""Numbers of every seed only, and in the files."""
COLUMNS: Mapping[str, str] = {
    "key": "string", "variant": "string", "machine": "string", "seed": "int64",
    "correct": "int64", "total": "int64", "accuracy": "float64", "low": "float64",
    "high": "float64", "parameters": "int64", "quantum_parameters": "int64",
    "train_samples": "int64", "seconds_trained": "float64", "seconds_evaluated": "float64",
    "seconds": "float64",
}  # fmt: skip
"""Columns that every row has, with their types as Arrow names them."""


@study
class CompareStudy(Study[CompareOptions, "Cell"]):
    """The quantum model, its classical twin of as many parameters, and baselines on one data set.

    All are trained with the same number of steps and samples, and asked the same questions.
    """

    name = "compare"
    title = "The quantum model beside its classical twin and baselines"
    options_type = CompareOptions
    template = "compare.html.j2"
    grows = frozenset(
        {
            "variants", "seeds", "metrics", "caption_tokenizer", "limit", "max_new_tokens",
            "backend", "shots", "mitigation",
        }
    )  # fmt: skip
    columns = COLUMNS

    def cells(self) -> Sequence[Cell]:
        """Every variant exactly, and those with circuits on the backend."""
        from qvlm_qiskit.studies.compare.cells import all_cells

        return all_cells(self.options)

    def identity(self, cell: Cell) -> Mapping[str, Any]:
        """The training, the machine, the questions and the metrics."""
        from qvlm_qiskit.studies.compare.cells import EXACT

        asked = self.options
        machine = [cell.machine]
        if cell.machine != EXACT:
            machine += [str(asked.shots), cell.mitigation]
        return {
            "variant": cell.variant,
            "training": asked.training(cell.variant, cell.seed).facts(),
            "machine": machine,
            "questions": [asked.limit, asked.max_new_tokens],
            "metrics": [*asked.metric_names, asked.caption_tokenizer],
        }

    def rehearse(self, cells: Sequence[Cell]) -> None:
        """Open data and machines."""
        from qvlm_qiskit.studies.compare.cells import rehearse

        rehearse(self.options, cells)

    def missing_models(self) -> Sequence[Cell]:
        """Variants and seeds that have no run folder yet."""
        from qvlm_qiskit.studies.compare.cells import EXACT, model_folder

        return [
            cell
            for cell in self.cells()
            if cell.machine == EXACT
            and cell.variant != MAJORITY
            and not (model_folder(self.folder, cell) / "run.json").is_file()
        ]

    def train(self, model: Cell) -> None:
        """Train a variant into its run folder."""
        from qvlm_qiskit.studies.compare.cells import model_folder, train_model

        train_model(self.options, model, model_folder(self.folder, model))

    def compute(self, cell: Cell) -> Row:
        """Evaluate a variant on a machine."""
        from qvlm_qiskit.studies.compare.cells import evaluate_cell, model_folder

        return evaluate_cell(self.options, cell, model_folder(self.folder, cell))

    def summarise(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Points and differences."""
        from qvlm_qiskit.studies.compare.summary import summarise

        return summarise(rows)

    def label(self, row: Row) -> str:
        """The variant and its accuracy."""
        return f"{row['variant']}, seed {row['seed']}: {row['accuracy']:.1%}"

    def flat(self, row: Row) -> dict[str, Any]:
        """One column per number; intervals of every metric over questions."""
        flat = {name: row[name] for name in self.columns}
        for one in row["metrics"]:
            flat |= {f"{one['label']} {name}": one[name] for name in ("value", "low", "high")}
        return flat | {f"accuracy {kind}": p["accuracy"] for kind, p in row["by_kind"].items()}

    def context(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """Results, with short names of models and machines, and the pictures of some questions."""
        results = _shortened(results)
        points = [{**point, "on": machine_of(point)} for point in results["points"]]
        rows = [{**row, "on": machine_of(row)} for row in results["rows"]]
        data = short_name(results["grid"]["data"])
        return {
            **{**results, "points": points, "rows": rows, "data": data, "hidden": HIDDEN},
            **_pictures(self.options, rows),
        }

    def printed(self, results: Mapping[str, Any]) -> Sequence[Printed]:
        """For every metric its means, and the differences."""
        results = _shortened(results)
        labels = [label for label in results["points"][0]["metrics"] if label not in HIDDEN]
        tables = []
        for label in labels:
            title = f"{label} on {_described(results)}"
            tables += [
                Printed(title, _POINT, _points(results, label)),
                Printed(
                    f"differences of {label}, paired by seed",
                    ("difference", ">mean [95 %]", "verdict"),
                    _differences(results, label),
                ),
            ]
        return tables


_POINT = ("model", "circuits on", ">parameters", ">mean [95 %]", ">s")


def _described(results: Mapping[str, Any]) -> str:
    """Data and budget."""
    about, first = results["grid"], results["rows"][0]
    return (
        f"{short_name(about['data'])}: {counted(about['seeds'], 'seed')}, "
        f"{counted(about['steps'], 'step')} of {about['batch_size']} of "
        f"{first['train_samples']:,} samples, {counted(first['total'], 'question')}"
    )


def _pictures(options: CompareOptions, rows: Sequence[Row]) -> dict[str, Any]:
    """Some questions with their pictures, or why they can't be read any more."""
    from qvlm_qiskit.studies.compare.examples import examples
    from qvlm_qiskit.studies.reports.pictures import data_uri

    try:
        found = examples(options, rows)
    except QVLMError as error:  # what is finished can be shown without its data
        return {"pictures": [], "unread": str(error)}
    pictures = [{**one, "image": data_uri(one["image"])} for one in found]
    return {"pictures": pictures, "unread": ""}


def short_names(variants: Sequence[str]) -> dict[str, str]:
    """Models of one's own by the names of their classes, where no two have the same."""
    classes = {name: name.partition(":")[2].partition("(")[0] or name for name in variants}
    count = list(classes.values()).count
    return {name: name if count(short) > 1 else short for name, short in classes.items()}


def _shortened(results: Mapping[str, Any]) -> dict[str, Any]:
    """Results with short names of models."""
    names = short_names(list(dict.fromkeys(row["variant"] for row in results["rows"])))
    points, rows = (
        [{**one, "variant": names[one["variant"]]} for one in results[part]]
        for part in ("points", "rows")
    )
    differences = []
    for one in results["differences"]:
        first, sign, other = one["what"].partition(" − ")
        first = first.removeprefix(f"{results['grid']['backend']}, ")  # a mitigation says enough
        what = f"{names.get(first, first)}{sign}{names.get(other, other)}"
        differences.append({**one, "what": what})
    return {**results, "points": points, "rows": rows, "differences": differences}


def short_name(data: str) -> str:
    """A data set's name with the last part of its place."""
    placed = PlacedName.read(data)
    return placed.name if placed.place is None else f"{placed.name}:{Path(placed.place).name}"


def _points(results: Mapping[str, Any], label: str) -> list[list[str]]:
    return [
        [
            point["variant"],
            machine_of(point),
            f"{point['parameters']:,}",
            shown(point["metrics"][label], point["units"][label]),
            f"{point['seconds_trained'] + point['seconds_evaluated']:.0f}",
        ]
        for point in results["points"]
    ]


def _differences(results: Mapping[str, Any], label: str) -> list[list[str]]:
    from qvlm_qiskit.studies.intervals import verdict

    return [
        [found["what"], shown(found, found["unit"], sign=True), verdict(found)]
        for found in results["differences"]
        if found["label"] == label
    ]


def machine_of(point: Mapping[str, Any]) -> str:
    """Where the circuits of a model run, if it has some."""
    if not point["quantum_parameters"]:
        return "–"
    return "exact" if point["machine"] == "statevector" else str(point["machine"])


def shown(entry: Mapping[str, Any], unit: str, *, sign: bool = False) -> str:
    """A mean and its interval, in percent where it is a share."""
    from qvlm_qiskit.studies.reports.templates import interval

    if unit == "share":
        return interval(entry, 100, "" if sign else "%", sign=sign, scope=False)
    return interval(entry, 1, "", sign=sign, digits=3, scope=False)
