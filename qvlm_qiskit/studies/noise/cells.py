"""The work of one process of a noise study: train a model, or evaluate one on one machine."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import torch

from qvlm_qiskit.backends import Backend, open_backend
from qvlm_qiskit.blocks import gate_values
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation import Exam, capture_rows
from qvlm_qiskit.evaluation.loss import exam_loss
from qvlm_qiskit.models.protocol import AnsweringModel
from qvlm_qiskit.quantum.executors.one_thread import one_thread
from qvlm_qiskit.recipes import HYBRID
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.measure import errors_on, evaluate_on
from qvlm_qiskit.studies.noise.grid import EXACT, NoiseGrid
from qvlm_qiskit.studies.noise.machines import Cell, Machine
from qvlm_qiskit.studies.noise.models import StudyModel
from qvlm_qiskit.training import Subject, check_trainable, train

PROMPTS_FOR_ROWS = 32


def train_model(model: StudyModel) -> None:
    """Train a model of the study in this process."""
    # what an interrupted study left of it has the same options, or would not be there
    partial = model.path.with_name(model.path.name + ".partial")
    checkpoints = partial / "checkpoints"
    resume = any(
        (folder / "trainer_state.json").is_file() for folder in checkpoints.glob("checkpoint-*")
    )
    backend = None
    if model.trained_on != EXACT:
        backend = training_backend(model.trained_on, model.trained_at, model.options.seed)
    train(model.options, model.path, backend=backend, resume=resume)


def training_backend(
    name: str, strength: float, seed: int, max_age_days: float | None = None
) -> Backend:
    """Where a model of the study is trained under noise: exact values, single precision."""
    return open_backend(
        name,
        precision=0,
        noise_scale=strength,
        seed=seed,
        dtype="complex64",
        max_age_days=max_age_days,
    )


def open_cell(cell: Cell, grid: NoiseGrid) -> Backend:
    """The machine of a cell.

    Raises:
        QVLMError: It can't be opened with these options.
    """
    machine = cell.machine
    if machine is None:
        return open_backend(EXACT)
    return open_backend(
        machine.device,
        shots=machine.shots,
        seed=cell.model.options.seed,
        noise_scale=machine.strength,
        error_kinds=machine.error_kinds,
        mitigation=machine.mitigation,
        method=grid.method,
        max_age_days=grid.max_age_days,
    )


def evaluate_cell(cell: Cell, grid: NoiseGrid) -> dict[str, Any]:
    """One row of the study's table, as plain data.

    The seed of compilation and sampling is the model's. Accuracy and loss are on the same
    questions; expectation values are compared with exact ones for circuits of these questions.
    """
    run = Run.open(cell.model.path)
    model, samples = run.answering_model(), run.samples("test", grid.questions)
    exam = Exam(model, samples)
    backend = open_cell(cell, grid)
    found, record = evaluate_on(exam, backend)
    with model.run_on(backend):
        loss = exam_loss(exam)
    errors: list[dict[str, Any]] = []
    if cell.machine is not None:
        inputs = model.inputs(samples[:PROMPTS_FOR_ROWS])
        rows = capture_rows(model.module, inputs, grid.rows)
        errors = errors_on(model.module, rows, backend)
    return {
        "run": str(cell.model.path),
        "kind": cell.model.kind,
        "blocks": cell.model.options.blocks,
        "seed": run.seed,
        "trained_at": cell.model.trained_at,
        **_place(cell.machine),
        **{name: record[name] for name in ("correct", "total", "accuracy", "low", "high")},
        "right": "".join("01"[right] for right in found.correct),
        "answers": list(found.answers),
        "loss": loss,
        "expectations": errors,
        "gates": {name: float(value) for name, value in gate_values(model.module).items()},
    }


def _place(machine: Machine | None) -> dict[str, Any]:
    """Where a row is from; exact values have no strength, no shots and no errors."""
    if machine is None:
        nothing = dict.fromkeys(("strength", "mitigation", "shots", "error_kinds"))
        return {"device": EXACT, **nothing}
    names = ("device", "strength", "mitigation", "shots", "error_kinds")
    return {name: getattr(machine, name) for name in names}


def rehearse(grid: NoiseGrid, cells: Sequence[Cell]) -> None:
    """Run one row of every circuit on machines of every sort, so that a refusal costs no training.

    On every device each technique at each strength, and each choice of kinds of error.

    Raises:
        QVLMError: A machine can't be opened, or can't run a circuit; or a model has none, or no
            loss on the questions.
    """
    options = dataclasses.replace(cells[0].model.options, blocks="quantum")
    if options.model == HYBRID:
        model: AnsweringModel = Subject(options).build()
    else:
        model = _checked(cells[0].model, grid)
    opened = [open_cell(cell, grid) for cell in _one_of_each(cells)]
    for device, strength in itertools.product(grid.devices, grid.trained_at):
        backend = training_backend(device, strength, options.seed, grid.max_age_days)
        check_trainable(model, backend)
        opened.append(backend)
    with torch.inference_mode(), one_thread():
        for backend in opened:
            for layer in model.quantum_layers.values():
                with layer.run_on(backend):
                    layer(torch.zeros(1, layer.neural_network.num_inputs))


def _one_of_each(cells: Sequence[Cell]) -> list[Cell]:
    """A cell for each device, strength and technique, and for each device and kinds of error."""
    found: dict[tuple[Any, ...], Cell] = {}
    for cell in cells:
        if (machine := cell.machine) is not None:
            found.setdefault((machine.device, machine.strength, machine.mitigation), cell)
            found.setdefault((machine.device, machine.error_kinds), cell)
    return list(dict.fromkeys(found.values()))


def _checked(given: StudyModel, grid: NoiseGrid) -> AnsweringModel:
    """A run's model of the user's own, if noise can reach it and its loss is known.

    Raises:
        InputError: It has no quantum layer, or can't be taught an answer of the questions.
    """
    run = Run.open(given.path)
    model = run.answering_model()
    if not model.quantum_layers:
        raise InputError(f"{given.path} has no quantum layer that noise could reach")
    model.encoded(run.samples("test", grid.questions))
    return model
