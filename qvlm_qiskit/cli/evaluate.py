"""``qvlm evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qvlm_qiskit.cli import common


def evaluate(
    run: Annotated[Path, typer.Argument(help="Run folder of qvlm train or demo.")],
    backend: common.BackendName = "statevector",
    limit: Annotated[int, typer.Option(help="Number of held-out questions.")] = 200,
    batch: common.Batch = 100,
    shots: common.Shots = None,
    precision: common.Precision = None,
    mitigation: common.Mitigation = "none",
    noise_scale: common.NoiseScale = 1.0,
    method: common.Method = "auto",
    max_age_days: common.MaxAgeDays = None,
    optimization_level: common.Level = 2,
    layout_trials: common.LayoutTrials = None,
    device: common.Device = None,
    seed: common.Seed = None,
    threads: common.Threads = 1,
    as_json: common.AsJson = False,
) -> None:
    """Ask held-out questions on a backend and print the exact-match accuracy."""
    from qvlm_qiskit.data import DigitCanvases
    from qvlm_qiskit.evaluation import Exam
    from qvlm_qiskit.progress import on_console
    from qvlm_qiskit.runs import Run
    from qvlm_qiskit.studies.measure import circuits_on, evaluate_on

    common.use_threads(threads)
    opened = Run.open(run)
    machine = common.open_machine(
        backend,
        shots=shots,
        precision=precision,
        mitigation=mitigation,
        noise_scale=noise_scale,
        method=method,
        max_age_days=max_age_days,
        optimization_level=optimization_level,
        layout_trials=layout_trials,
        device=device,
        seed=opened.seed if seed is None else seed,
    )
    samples = list(DigitCanvases("test", limit, opened.seed))
    model, processor = opened.model(), opened.processor()
    circuits_on(model, machine)  # what doesn't fit on the device is refused before it runs
    with common.through_ledger(machine) as kept:
        _, record = evaluate_on(
            Exam(model, processor, samples),
            kept,
            batch_size=batch,
            track=on_console(common.console()),
        )
    if as_json:
        common.print_json(record)
        return
    rows = [common.accuracy_row("all questions", record)]
    rows += [common.accuracy_row(kind, part) for kind, part in record["by_kind"].items()]
    about = record["backend"]
    shown = f"{about['name']} ({about['kind']}"
    shown += f", {about['shots']} shots" if about["shots"] else ""
    shown += f", {about['mitigation']})" if about["mitigation"] != "none" else ")"
    common.print_table(f"{run} on {shown}", common.ACCURACY_COLUMNS, rows)
    common.print_choices(about["choices"])
