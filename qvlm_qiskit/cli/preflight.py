"""``qvlm preflight``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from qvlm_qiskit.cli import common


def preflight(
    run: Annotated[Path, typer.Argument(help="Run folder of qvlm train or demo.")],
    backend: common.BackendName = "statevector",
    limit: Annotated[int, typer.Option(help="Number of held-out questions.")] = 200,
    batch: common.Batch = 100,
    shots: common.Shots = None,
    precision: common.Precision = None,
    mitigation: Annotated[
        str | None,
        typer.Option(help="One mitigation; by default all that the backend offers."),
    ] = None,
    noise_scale: common.NoiseScale = 1.0,
    method: common.Method = "auto",
    max_age_days: common.MaxAgeDays = None,
    optimization_level: common.Level = 2,
    layout_trials: common.LayoutTrials = None,
    device: common.Device = None,
    seed: common.Seed = None,
    as_json: common.AsJson = False,
) -> None:
    """Say what qvlm evaluate would cost on a backend, and what its circuits become; run nothing."""
    from qvlm_qiskit.evaluation.generate import MAX_NEW_TOKENS
    from qvlm_qiskit.inference.preflight import jobs_in_a_row, preflight_evaluation
    from qvlm_qiskit.progress import on_console
    from qvlm_qiskit.runs import Run

    common.use_threads(1)
    opened = Run.open(run)
    model = opened.model()
    machine = common.open_machine(
        backend,
        shots=shots,
        precision=precision,
        mitigation=mitigation or "none",
        noise_scale=noise_scale,
        method=method,
        max_age_days=max_age_days,
        optimization_level=optimization_level,
        layout_trials=layout_trials,
        device=device,
        seed=opened.seed if seed is None else seed,
    )
    report, instead = preflight_evaluation(
        model,
        opened.processor(),
        opened.samples("test", limit),
        machine,
        batch_size=batch,
        mitigations=None if mitigation is None else [mitigation],
        track=on_console(common.console()),
    )
    longest = jobs_in_a_row(model, MAX_NEW_TOKENS)
    if as_json:
        generation = {"tokens": MAX_NEW_TOKENS, "jobs_in_a_row": longest}
        common.print_json(
            {
                **report.as_dict(),
                "instead": instead,
                "generation": generation,
                "machine": machine.describe(),
            }
        )
        return
    print_report(report, instead)
    if report.kind != "exact":
        short = jobs_in_a_row(model, 1)
        typer.echo(
            f"a batch waits for {short} jobs one after the other where answers have 1 token, for "
            f"{longest} where they have {MAX_NEW_TOKENS}; qvlm submit --prefetch waits once"
        )


def print_report(report: Any, instead: Sequence[str]) -> None:
    """Print a preflight: circuits, costs, and what is to be said about them."""
    for table in report.tables():
        rows = [(_short(row[0]), *row[1:]) for row in table.rows]
        common.print_table(table.title, table.columns, rows)
    for note in [*report.notes(), *instead]:
        typer.echo(f"- {_short(note)}")
    if any(level.seconds_qpu is not None for level in report.levels):
        typer.echo(report.formula)
    if report.kind == "exact":
        typer.echo("this backend computes its values: no shots, no jobs")


def _short(text: str) -> str:
    """Module names of quantum layers without what all of them have."""
    return text.replace("vision.embeddings.patch_embeddings.", "").replace(".core.layer", "")
