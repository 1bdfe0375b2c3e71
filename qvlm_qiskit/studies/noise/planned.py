"""How long a noise study will take, said before it begins."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from qvlm_qiskit.basics.counted import counted
from qvlm_qiskit.evaluation import Exam
from qvlm_qiskit.quantum.executors.one_thread import one_thread
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.measure import evaluate_on
from qvlm_qiskit.studies.noise.cells import open_cell
from qvlm_qiskit.studies.noise.grid import NoiseGrid
from qvlm_qiskit.studies.noise.machines import Cell
from qvlm_qiskit.studies.noise.models import StudyModel

PROBES = (8, 32)
"""Questions that are asked to see how long one takes: few, and more."""

LOSSES_TOO = 1.5
"""A cell has the answers, and the losses of the right ones beside them."""

Sort = tuple[Any, ...]


def planned(
    grid: NoiseGrid,
    missing: Sequence[Cell],
    models: Sequence[StudyModel],
    rows: Sequence[Mapping[str, Any]],
) -> str:
    """One sentence about what is to be done, and how long it takes one process.

    The time of an evaluation is that of finished ones on the same sort of machine (device, shots,
    technique); without any, a few questions are asked of the first model to measure it.

    Args:
        grid: The options.
        missing: Cells that are to be computed.
        models: Models that are to be trained before, which the time does not count.
        rows: Finished ones, also of other grids.

    Raises:
        QVLMError: A machine can't be opened.
    """
    said = f"planned: {counted(len(missing), 'evaluation')} of {grid.questions} questions"
    if models:
        said += f", and {counted(len(models), 'model')} to train before"
    if not missing:
        return f"{said}: all are there"
    known = _known(rows)
    given = next(cell.model for cell in missing if cell.model.given) if _probes(missing) else None
    total, probed = 0.0, 0
    for sort, cells in _by_sort(missing).items():
        if sort in known:
            total += len(cells) * mean(known[sort])
        elif given is not None:
            once, each = probe(Cell(given, cells[0].machine), grid)
            total += once + len(cells) * each
            probed += 1
    if given is None and not known:
        return f"{said}; how long they take shows the first one"
    measured = " (from a few questions on each sort of machine)" if probed else ""
    return f"{said}; at most about {_said(total)} of one process{measured}"


def probe(cell: Cell, grid: NoiseGrid) -> tuple[float, float]:
    """Seconds to open and compile, once, and seconds of all questions of a cell like this.

    Equal circuits of different questions are asked once, so that this is rather too much.
    """
    with one_thread():
        return _probed(cell, grid)


def _probed(cell: Cell, grid: NoiseGrid) -> tuple[float, float]:
    few, more = PROBES
    run = Run.open(cell.model.path)
    model, samples = run.answering_model(), run.samples("test", more)
    started = time.perf_counter()
    backend = open_cell(cell, grid)

    def asked(count: int) -> float:
        began = time.perf_counter()
        evaluate_on(Exam(model, samples[:count]), backend)
        return time.perf_counter() - began

    asked(few)  # compiles
    opened = time.perf_counter() - started
    first, second = asked(few), asked(more)
    per_question = max(second - first, 0.0) / (more - few)
    each = first + per_question * max(0, grid.questions - few)
    return opened, LOSSES_TOO * each


def _probes(missing: Sequence[Cell]) -> bool:
    return any(cell.model.given for cell in missing)


def _sort(machine: Any) -> Sort:
    return () if machine is None else (machine.device, machine.shots, machine.mitigation)


def _by_sort(cells: Sequence[Cell]) -> dict[Sort, list[Cell]]:
    found: dict[Sort, list[Cell]] = {}
    for cell in cells:
        found.setdefault(_sort(cell.machine), []).append(cell)
    return found


def _known(rows: Sequence[Mapping[str, Any]]) -> dict[Sort, list[float]]:
    """Seconds of finished rows by sort of machine."""
    found: dict[Sort, list[float]] = {}
    for row in rows:
        exact = row["strength"] is None
        sort = () if exact else (row["device"], row["shots"], row["mitigation"])
        found.setdefault(sort, []).append(float(row["seconds"]))
    return found


def _said(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
