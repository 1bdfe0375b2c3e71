"""The work of one process of a drift study: evaluate a run on one calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qvlm_qiskit.backends import Backend, open_backend
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.evaluation import Exam, capture_rows
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.drift.calibrations import Calibration, calibrations
from qvlm_qiskit.studies.drift.options import DriftOptions
from qvlm_qiskit.studies.measure import (
    check_alike,
    circuits_on,
    errors_on,
    evaluate_on,
    weights_digest,
)

EXACT = "statevector"
PROMPTS_FOR_ROWS = 32


@dataclass(frozen=True)
class Cell:
    """One evaluation.

    Attributes:
        run: Run folder.
        weights: Digest of its weights.
        calibration: Where its circuits run; None = exactly.
        mitigation: Technique there.
    """

    run: Path
    weights: str
    calibration: Calibration | None = None
    mitigation: str = "none"


def all_cells(options: DriftOptions) -> list[Cell]:
    """Every run exactly, and on every calibration with every technique.

    Raises:
        InputError: Runs that differ in more than their seed, or have no circuits.
        QVLMError: A run or a calibration that can't be read.
    """
    runs = [Run.open(path) for path in options.runs]
    check_alike([(run.path, run.info["options"]) for run in runs], free=("seed",))
    found = calibrations(options.calibrations, _widest(runs[0]))
    machines: list[tuple[Calibration | None, str]] = [(None, "none")]
    machines += [(one, technique) for technique in options.mitigations for one in found]
    return [Cell(run.path, weights_digest(run), *machine) for machine in machines for run in runs]


def _widest(run: Run) -> int:
    layers = run.answering_model().quantum_layers
    if not layers:
        raise InputError(f"{run.path} has no quantum layer that a calibration could reach")
    return max(int(layer.neural_network.circuit.num_qubits) for layer in layers.values())


def open_cell(cell: Cell, options: DriftOptions, seed: int) -> Backend:
    """Where a cell's circuits run.

    Raises:
        QVLMError: It can't be opened with these options.
    """
    if cell.calibration is None:
        return open_backend(EXACT)
    return open_backend(
        f"noisy:{cell.calibration.name}",
        shots=options.shots,
        mitigation=cell.mitigation,
        seed=seed,
    )


def evaluate_cell(cell: Cell, options: DriftOptions) -> dict[str, Any]:
    """One row of the study's table, as plain data.

    Circuits are compiled for every calibration anew, as they would be on that day. Questions are
    the run's own; the seed of compilation and sampling is the run's.
    """
    run = Run.open(cell.run)
    model, samples = run.answering_model(), run.samples("test", options.questions)
    backend = open_cell(cell, options, run.seed)
    found, record = evaluate_on(Exam(model, samples), backend)
    row = {
        "run": str(cell.run),
        "seed": run.seed,
        "calibration": EXACT if cell.calibration is None else cell.calibration.name,
        "mitigation": cell.mitigation,
        **{name: record[name] for name in ("correct", "total", "accuracy", "low", "high")},
        "right": "".join("01"[right] for right in found.correct),
    }
    if cell.calibration is None:
        nothing = dict.fromkeys(("device", "calibrated_utc", "success", "rms"))
        return {**row, **nothing, "noise": {}, "blocks": []}
    inputs = model.inputs(samples[:PROMPTS_FOR_ROWS])
    errors = errors_on(model.module, capture_rows(model.module, inputs, options.rows), backend)
    about = record["backend"]
    circuits = {one["block"]: one for one in circuits_on(model.module, backend)}
    blocks = [{**circuits[one["block"]], **one} for one in errors]
    return {
        **row,
        "device": about["noise"]["name"],
        "calibrated_utc": about["calibration_date"],
        "success": min(one["estimated_success_probability"] for one in blocks),
        "rms": max(one["rms"] for one in blocks),
        "noise": {name: value for name, value in about["noise"].items() if name[-7:] == "_median"},
        "blocks": blocks,
    }


def identity(cell: Cell, options: DriftOptions) -> dict[str, Any]:
    """What decides the numbers that a cell will give."""
    exact = cell.calibration is None
    return {
        "weights": cell.weights,
        "calibration": EXACT if cell.calibration is None else cell.calibration.content,
        "machine": [] if exact else [options.shots, cell.mitigation, options.rows],
        "questions": options.questions,
    }


def rehearse(options: DriftOptions, cells: Sequence[Cell]) -> None:
    """Open one machine with each technique.

    Raises:
        QVLMError: It can't be opened with it.
    """
    opened = {one.mitigation: one for one in cells if one.calibration is not None}
    for cell in opened.values():
        open_cell(cell, options, 0)
