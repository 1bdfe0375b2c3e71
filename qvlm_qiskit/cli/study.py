"""``qvlm study``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from qvlm_qiskit.cli import common

app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Studies over many models and machines."
)


@app.callback()
def root() -> None:
    """Studies over many models and machines."""


@app.command("noise")
def noise(
    runs: Annotated[list[Path], typer.Argument(help="Run folders of qvlm train or demo.")],
    out: Annotated[Path, typer.Option(help="The study's folder; an unfinished one goes on.")],
    backend: Annotated[
        str, typer.Option("--backend", help="A noisy:… backend.")
    ] = "noisy:fake_torino",
    strengths: Annotated[
        str, typer.Option(help="Factors on the noise at evaluation.")
    ] = "0,0.5,1,2,4",
    mitigations: Annotated[str, typer.Option(help="Techniques, separated by semicolons.")] = "none",
    seeds: Annotated[
        int, typer.Option(help="Train so many seeds of every kind of model; 0 trains nothing.")
    ] = 0,
    twins: Annotated[bool, typer.Option("--twins", help="Train the classical twins too.")] = False,
    train_at: Annotated[
        str, typer.Option(help="Noise strengths to train models at, such as 0.5,1,2.")
    ] = "",
    limit: Annotated[int, typer.Option(help="Held-out questions per evaluation.")] = 200,
    rows: Annotated[int, typer.Option(help="Circuits per block to compare with exact ones.")] = 50,
    shots: Annotated[int, typer.Option(help="Shots per circuit.")] = 1000,
    method: common.Method = "auto",
    max_age_days: common.MaxAgeDays = None,
    processes: Annotated[int, typer.Option(help="Cells at a time, one thread each.")] = 1,
    table: Annotated[
        str,
        typer.Option(
            "--format", help="csv, or parquet for rows.parquet beside rows.csv (needs pyarrow)."
        ),
    ] = "csv",
    as_json: common.AsJson = False,
) -> None:
    """How accuracy, loss and expectation values suffer under noise: a grid, row by row.

    The reports of runs that qvlm demo made get the study as a section.
    """
    from qvlm_qiskit.progress import on_console
    from qvlm_qiskit.studies.noise.grid import NoiseGrid
    from qvlm_qiskit.studies.noise.study import run_noise_study

    grid = NoiseGrid(
        device=backend,
        strengths=_numbers("--strengths", strengths),
        mitigations=tuple(name.strip() for name in mitigations.split(";")),
        seeds=seeds,
        twins=twins,
        trained_at=_numbers("--train-at", train_at),
        questions=limit,
        rows=rows,
        shots=shots,
        method=method,
        max_age_days=max_age_days,
    )
    reports = _reports(runs)
    screen = common.console()
    results = run_noise_study(
        grid, runs, out, processes=processes, table=table, track=on_console(screen)
    )
    pages = [out / "report.html", *(report.with_study(results).write() for report in reports)]
    if as_json:
        common.print_json(results)
    else:
        _print(f"{out} on {backend}, 95 % intervals over seeds", results)
    if others := results["rows_of_other_grids"]:
        screen.print(f"{others} rows of other grids stay in {out / 'rows.jsonl'}, not shown here")
    screen.print(f"rows: {out / 'rows.csv'}, report: {', '.join(map(str, pages))}")


def _reports(runs: Sequence[Path]) -> list[Any]:
    """The reports that get a section; one that can't be written again is said, and left alone."""
    from qvlm_qiskit.errors import RunFolderError
    from qvlm_qiskit.runs import Run
    from qvlm_qiskit.studies.demo.demo_report import DemoReport

    found = []
    for run in map(Run.open, runs):
        try:
            report = DemoReport.find(run)
        except RunFolderError as error:
            typer.echo(f"qvlm: {run.path}'s report gets no section: {error}", err=True)
            continue
        if report is not None:
            found.append(report)
    return found


def _print(title: str, results: Mapping[str, Any]) -> None:
    from qvlm_qiskit.studies.reports.templates import interval

    common.print_table(
        title,
        ("model", "mitigation", ">strength", ">accuracy", ">loss"),
        [
            [
                point["kind"],
                point["mitigation"] or "–",
                "–" if point["strength"] is None else f"{point['strength']:g}",
                interval(point["accuracy"], 100, "%"),
                f"{point['loss']['mean']:.3f}",
            ]
            for point in results["points"]
        ],
    )


def _numbers(option: str, text: str) -> tuple[float, ...]:
    from qvlm_qiskit.errors import InputError

    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise InputError(f"{option} takes numbers separated by commas, got {text!r}") from error
