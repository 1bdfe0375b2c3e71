"""``qvlm study noise``: train what is missing, evaluate every cell once, summarise, report.

STUDY/
  grid.json       the grid
  rows.jsonl      one line per finished cell; a study that is started again goes on behind them
  models/         run folders of the models that the study trained
  rows.csv        the same rows as a table
  rows.parquet    the same table with types, where it was asked for
  results.json    summaries over seeds, with intervals
  report.html     tables and plots
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import torch

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.files import write_bytes, write_json, write_text
from qvlm_qiskit.progress import Track, silent
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.noise.cells import (
    evaluate_cell,
    open_cell,
    train_model,
    training_backend,
)
from qvlm_qiskit.studies.noise.grid import Cell, NoiseGrid, StudyModel, study_cells, study_models
from qvlm_qiskit.studies.noise.noise_report import render_noise_report
from qvlm_qiskit.studies.noise.summary import summarise
from qvlm_qiskit.studies.noise.table import as_csv, as_parquet, check_format
from qvlm_qiskit.training import build_model, check_trainable

FORMAT = "qvlm-noise-study"
VERSION = 1


def run_noise_study(
    grid: NoiseGrid,
    runs: Sequence[Path],
    out: Path,
    *,
    processes: int = 1,
    table: str = "csv",
    track: Track = silent,
) -> dict[str, Any]:
    """Fill a study folder, and return what its ``results.json`` holds.

    A study that was interrupted, or whose grid has grown, goes on: rows that are there are kept,
    and only missing ones are computed.

    Args:
        grid: What to do.
        runs: Trained run folders.
        out: The study's folder, new or of an earlier study.
        processes: How many cells run at a time, each with one thread.
        table: "csv", or "parquet" for a Parquet file beside the CSV one.
        track: Opens progress bars.

    Raises:
        InputError: A grid that does not fit the runs, a folder of something else.
        MissingDependencyError: A Parquet file without pyarrow.
        QVLMError: Any refusal of a machine, before anything is trained.
    """
    if processes < 1:
        raise InputError(f"processes must be at least 1, got {processes}")
    check_format(table)
    models = study_models(grid, [Run.open(path) for path in runs], out / "models")
    cells = study_cells(grid, models)
    _rehearse(grid, cells, models)
    done = _open_folder(out)
    write_json(out / "grid.json", {**_header(), **dataclasses.asdict(grid)})
    missing = [cell for cell in cells if cell.key(grid) not in done]
    untrained = [m for m in models if not m.given and not (m.path / "run.json").is_file()]
    with _Workers(processes) as workers:
        if untrained:
            with track("training", len(untrained)) as report:
                workers.run(
                    [(train_model, model) for model in untrained],
                    lambda _, count: report(count),
                )
        with track("evaluating", len(missing)) as report:

            def keep(row: dict[str, Any], count: int) -> None:
                _append(out / "rows.jsonl", row)
                done[row["key"]] = row
                report(count, f"{row['kind']}, seed {row['seed']}: {row['accuracy']:.1%}")

            workers.run([(evaluate_cell, cell, grid) for cell in missing], keep)
    rows = [done[cell.key(grid)] for cell in cells]
    results = {
        **_header(),
        "grid": dataclasses.asdict(grid),
        "rows_of_other_grids": len(done) - len(rows),
        **summarise(rows),
        "rows": rows,
    }
    write_text(out / "rows.csv", as_csv(rows))
    if table == "parquet":
        write_bytes(out / "rows.parquet", as_parquet(rows, results["grid"]))
    write_json(out / "results.json", results)
    write_text(out / "report.html", render_noise_report(results))
    return results


def _rehearse(grid: NoiseGrid, cells: Sequence[Cell], models: Sequence[StudyModel]) -> None:
    """Run one row of every circuit on every machine, so that a refusal does not cost a training."""
    machines = {
        (cell.strength, cell.mitigation): cell for cell in cells if cell.strength is not None
    }
    options = dataclasses.replace(models[0].options, blocks="quantum")
    model, _ = build_model(options)
    opened = [open_cell(cell, grid) for cell in machines.values()]
    for strength in grid.trained_at:
        backend = training_backend(grid.device, strength, options.seed, grid.max_age_days)
        check_trainable(model, backend)
        opened.append(backend)
    with torch.inference_mode():
        for backend in opened:
            for layer in model.quantum_layers.values():
                with layer.run_on(backend):
                    layer(torch.zeros(1, layer.neural_network.num_inputs))


class _Workers:
    """Calls in this process, or in several others; errors come back as they are."""

    def __init__(self, processes: int) -> None:
        self._pool: ProcessPoolExecutor | None = None
        if processes > 1:
            # forked processes would inherit torch's threads in the middle of their work
            self._pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"))

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, calls: Sequence[tuple[Any, ...]], keep: Callable[[Any, int], None]) -> None:
        """Make every call, and hand each result on as soon as it is there, with their count."""
        if self._pool is None:
            for count, (function, *arguments) in enumerate(calls, start=1):
                keep(function(*arguments), count)
            return
        futures: list[Future[Any]] = [self._pool.submit(*call) for call in calls]
        for count, future in enumerate(as_completed(futures), start=1):
            keep(future.result(), count)


def _open_folder(out: Path) -> dict[str, dict[str, Any]]:
    """Rows that an earlier study left, by key; makes the folder if there is none."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        _check_is_study(out)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "rows.jsonl"
    rows: dict[str, dict[str, Any]] = {}
    if not path.is_file():
        return rows
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            row = json.loads(line)
            rows[row["key"]] = row
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is damaged at line {number}") from error
    if whole != text:
        write_text(path, whole)  # the process died while it wrote the last line
    return rows


def _check_is_study(out: Path) -> None:
    record = out / "grid.json"
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{out} is not a study's folder; choose another --out") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise InputError(f"{out} is not a study's folder; choose another --out")
    if found.get("version") != VERSION:
        raise InputError(f"{out} is a study of version {found.get('version')}, not {VERSION}")


def _append(path: Path, row: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _header() -> dict[str, Any]:
    return {"format": FORMAT, "version": VERSION}
