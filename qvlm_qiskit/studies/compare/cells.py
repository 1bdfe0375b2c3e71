"""The work of one process of a comparison: train a model, or evaluate one on one machine."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from qvlm_qiskit.backends import Backend, open_backend
from qvlm_qiskit.data import Sample, open_data
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation import Evaluation, Exam, Material, Metrics, majority_baseline
from qvlm_qiskit.models.own_model import OwnModel
from qvlm_qiskit.models.registry import find_model
from qvlm_qiskit.quantum.executors.one_thread import one_thread
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.compare.options import CompareOptions
from qvlm_qiskit.studies.compare.variants import MAJORITY, has_blocks, has_circuits
from qvlm_qiskit.studies.measure import evaluate_on, metrics_on
from qvlm_qiskit.training import Subject, train

EXACT = "statevector"


@dataclass(frozen=True)
class Cell:
    """One evaluation.

    Attributes:
        variant: Who answers.
        seed: Of its training, and of the samples.
        machine: Where its circuits run; for models without circuits `EXACT`.
        mitigation: Technique there.
    """

    variant: str
    seed: int
    machine: str = EXACT
    mitigation: str = "none"

    @property
    def where(self) -> str:
        """The machine, with its mitigation if it has one."""
        more = "" if self.mitigation == "none" else f", {self.mitigation}"
        return f"{self.machine}{more}"


def all_cells(options: CompareOptions) -> list[Cell]:
    """Every variant exactly, and those with circuits on the backend.

    Raises:
        InputError: A backend, and no variant has circuits.
    """
    machines = [(EXACT, "none")]
    if options.backend:
        machines += [(options.backend, technique) for technique in options.mitigation]
        if not any(_circuits(options.meant(variant)) for variant in options.variants):
            raise InputError(
                f"no variant has circuits that {options.backend} could run: compare them without "
                "--backend"
            )
    return [
        Cell(variant, seed, *machine)
        for variant in options.variants
        for machine in (machines if _circuits(options.meant(variant)) else machines[:1])
        for seed in range(options.seeds)
    ]


def _circuits(meant: str) -> bool:
    """Whether a variant's answers may be other ones on a machine; a model of this package says."""
    if not has_circuits(meant) or has_blocks(meant):
        return has_circuits(meant)
    asked = getattr(find_model(meant), "has_circuits", None)
    return asked is None or bool(asked(meant))


def model_folder(folder: Path, cell: Cell) -> Path:
    """The run folder of a cell's model."""
    name = re.sub(r"[^\w.-]+", "-", cell.variant).strip("-")
    if name != cell.variant:  # two models of one's own may look alike without their signs
        name += "-" + hashlib.sha256(cell.variant.encode()).hexdigest()[:8]
    return folder / "models" / f"{name}-seed-{cell.seed}"


def train_model(options: CompareOptions, cell: Cell, path: Path) -> None:
    """Train a cell's model; what an interrupted study left of it is trained again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    train(options.training(cell.variant, cell.seed), path, overwrite=True)


def open_machine(cell: Cell, options: CompareOptions) -> Backend:
    """Where a cell's circuits run.

    Raises:
        QVLMError: It can't be opened with these options.
    """
    if cell.machine == EXACT:
        return open_backend(EXACT)
    return open_backend(
        cell.machine, shots=options.shots, mitigation=cell.mitigation, seed=cell.seed
    )


def evaluate_cell(options: CompareOptions, cell: Cell, path: Path) -> dict[str, Any]:
    """One row of the study's table, as plain data.

    Intervals are over questions. Those of one seed are the same for every variant.
    """
    metrics = Metrics(options.metric_names, options.caption_tokenizer)
    if cell.variant == MAJORITY:
        return {**_head(cell), **_majority(options, cell, metrics)}
    run = Run.open(path)
    exam = _exam(run, options)
    backend = open_machine(cell, options)
    found, record = evaluate_on(exam, backend)
    measured = metrics_on(exam, backend, found, metrics)
    return {
        **_head(cell),
        **_numbers(found, measured.as_dict()),
        "parameters": run.info["parameters"],
        "quantum_parameters": run.info["quantum_parameters"],
        "train_samples": run.info["data"]["train_samples"],
        "seconds_trained": run.info["seconds"],
        "seconds_evaluated": record["seconds"],
    }


def rehearse(options: CompareOptions, cells: Sequence[Cell]) -> None:
    """Open data and machines, and run a row of every circuit, before anything is trained.

    Raises:
        QVLMError: The data can't be read, a metric is not defined for it, a model of one's own
            can't be built or has no circuits, or a machine can't run one.
    """
    metrics = Metrics(options.metric_names, options.caption_tokenizer)
    samples = _test_samples(options, 0)
    metrics.check_references([one.said for one in samples])
    for variant in {cell.variant for cell in cells} - {MAJORITY}:
        Subject(options.training(variant, 0)).samples()
    for cell in {(c.where, c.variant): c for c in cells if c.machine != EXACT}.values():
        backend = open_machine(cell, options)
        model = Subject(options.training(cell.variant, cell.seed)).build()
        if not model.quantum_layers:
            raise InputError(
                f"{cell.variant} has no quantum layers that {cell.machine} could run: compare it "
                "without --backend"
            )
        with torch.inference_mode(), one_thread(), model.run_on(backend):
            for layer in model.quantum_layers.values():
                layer(torch.zeros(1, layer.neural_network.num_inputs))


def _head(cell: Cell) -> dict[str, Any]:
    return {"variant": cell.variant, "machine": cell.where, "seed": cell.seed}


def _exam(run: Run, options: CompareOptions) -> Exam:
    model = run.answering_model()
    if type(model).limited is not OwnModel.limited:  # which gives its answers at once
        model = model.limited(options.max_new_tokens)
    return Exam(model, run.samples("test", options.limit))


def _test_samples(options: CompareOptions, seed: int) -> list[Sample]:
    return list(open_data(options.data_name, "test", options.limit, seed))


def _majority(options: CompareOptions, cell: Cell, metrics: Metrics) -> dict[str, Any]:
    """The most frequent answers of what the seed's models are trained on."""
    training = open_data(options.data_name, "train", options.train_samples, cell.seed)
    samples = _test_samples(options, cell.seed)
    found = majority_baseline(training, samples)
    references = [one.said for one in samples]
    given = Material(found.answers, references, found.correct, kinds=found.kinds)
    return {
        **_numbers(found, metrics.measure(given).as_dict()),
        "parameters": 0,
        "quantum_parameters": 0,
        "train_samples": len(training),
        "seconds_trained": 0.0,
        "seconds_evaluated": 0.0,
    }


def _numbers(found: Evaluation, measured: dict[str, Any]) -> dict[str, Any]:
    values = measured["metrics"]
    return {
        **found.accuracy.as_dict(),
        "right": "".join("01"[right] for right in found.correct),
        "answers": list(found.answers),
        "by_kind": {kind: part.as_dict() for kind, part in found.by_kind.items()},
        "values": {one["label"]: one["value"] for one in values},
        "metrics": values,
        "tokenizer": measured["tokenizer"],
    }
