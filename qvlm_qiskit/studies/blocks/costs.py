"""What a block costs: a step beside its twin's, and gates, success and seconds on a machine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.preflight.preflight import Preflight, preflight_calls
from qvlm_qiskit.backends.preflight.rehearse import exact_estimator, rehearse
from qvlm_qiskit.data.batch import collate
from qvlm_qiskit.evaluation import Exam, evaluate_exam
from qvlm_qiskit.profiling.clock import in_turn
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.blocks.cells import Cell, training_of
from qvlm_qiskit.studies.blocks.options import BlocksOptions
from qvlm_qiskit.studies.blocks.simulation import hardness
from qvlm_qiskit.training import Subject

COUNTED = 16
"""Questions whose rows are planned, and half of them: what a machine takes is a line in both."""
ASKED = 1000
"""Questions that the machine's seconds are stated for."""


def step_times(options: BlocksOptions, cell: Cell) -> dict[str, Any]:
    """Milliseconds of a forward and a backward pass of a batch, of the model and of its twin."""
    calls = {}
    for kind in ("quantum", "classical"):
        model, batch = _model_and_batch(options, replace(cell, kind=kind))
        calls[kind] = lambda model=model, batch=batch: model(**batch)["loss"].backward()
    found = in_turn(calls, options.rounds, lambda done: None)
    return {
        "step_ms": found["quantum"],
        "twin_ms": found["classical"],
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def _model_and_batch(options: BlocksOptions, cell: Cell) -> tuple[Any, Mapping[str, Tensor]]:
    subject = Subject(training_of(options, cell))
    model, samples = subject.build(), subject.samples()
    few = [samples[number] for number in range(min(options.batch_size, len(samples)))]
    rows: Any = model.encoded(few)
    return model.module, collate([rows[number] for number in range(len(few))])


def on_machine(options: BlocksOptions, path: Path) -> dict[str, Any]:
    """Gates, success, seconds of the machine, and how hard the circuits are to simulate."""
    run = Run.open(path)
    model, backend = run.answering_model(), open_backend(options.device, shots=options.shots)
    samples = run.samples("test", COUNTED)
    reports, calls = [], []
    for count in (max(1, len(samples) // 2), len(samples)):
        exam = Exam(model, [samples[number] for number in range(count)])
        calls = rehearse(model, lambda exam=exam: evaluate_exam(exam), exact_estimator())
        reports.append((count, preflight_calls(backend, model, calls, ("none",))))
    return {**_facts(reports), **hardness(calls)}


def _facts(reports: Sequence[tuple[int, Preflight]]) -> dict[str, Any]:
    """Of the circuit that is the least likely to succeed, and of all rows."""
    count, report = reports[-1]
    refused = next((block.refused for block in report.blocks if block.refused), None)
    known = [one for one in report.blocks if one.success_probability is not None]
    worst = min(known, key=lambda one: one.success_probability or 0.0, default=report.blocks[0])
    return {
        "two_qubit_gates": worst.two_qubit_gates,
        "depth": worst.depth,
        "success": worst.success_probability,
        "circuits": len(report.blocks),
        "rows": report.rows / count,
        "qpu_seconds": None if refused else _seconds(reports),
        "refused": refused or report.levels[0].refused,
    }


def _seconds(reports: Sequence[tuple[int, Preflight]]) -> float | None:
    """Of `ASKED` questions, on the line through both counts."""
    times = [(count, report.levels[0].seconds_qpu) for count, report in reports]
    (few, first), (many, last) = times[0], times[-1]
    if first is None or last is None:
        return None
    return last if few == many else last + (ASKED - many) * (last - first) / (many - few)
