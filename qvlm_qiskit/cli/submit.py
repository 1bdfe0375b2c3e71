"""``qvlm submit``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from qvlm_qiskit.cli import common, follow
from qvlm_qiskit.cli.preflight import print_report


def submit(
    run: Annotated[Path, typer.Argument(help="Run folder of qvlm train or demo.")],
    backend: common.BackendName,
    limit: Annotated[int, typer.Option(help="Number of held-out questions, in one batch.")] = 200,
    shots: common.Shots = None,
    precision: common.Precision = None,
    mitigation: common.Mitigation = "none",
    noise_scale: common.NoiseScale = 1.0,
    optimization_level: common.Level = 2,
    layout_trials: common.LayoutTrials = None,
    device: common.Device = None,
    seed: common.Seed = None,
    budget_seconds: common.BudgetSeconds = None,
    budget_executions: common.BudgetExecutions = None,
    mode: Annotated[
        str,
        typer.Option(
            help="On IBM machines: batch, session (bills elapsed time; --budget-seconds counts "
            "jobs and limits each session's length), or job (each by itself)."
        ),
    ] = "batch",
    prefetch: Annotated[
        bool,
        typer.Option(
            "--prefetch", help="Buy every PAQM row that generation may need in one job first."
        ),
    ] = False,
    calibration: Annotated[
        str,
        typer.Option(
            help="any: answers stay valid after a calibration; another text, such as a date: "
            "answers of that one only."
        ),
    ] = "any",
    fresh: Annotated[
        str, typer.Option(help="Another text asks for new samples of rows that are known.")
    ] = "",
    store: common.StorePlace = None,
    blobs: common.Blobs = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would cost, and stop.")
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return as soon as the first jobs are accepted.")
    ] = False,
    as_json: common.AsJson = False,
) -> None:
    """Evaluate by jobs that are never lost or paid for twice; say first what they cost."""
    from qvlm_qiskit.inference import (
        SubmitOptions,
        continue_evaluation,
        plan_evaluation,
        start_evaluation,
    )
    from qvlm_qiskit.jobs import Budget
    from qvlm_qiskit.progress import on_console
    from qvlm_qiskit.runs import Run

    common.use_threads(1)
    opened = Run.open(run)
    options = SubmitOptions(
        limit=limit,
        prefetch=prefetch,
        budget=Budget(budget_seconds, budget_executions),
        mode=cast(Any, mode),  # checked there
        calibration=calibration,
        fresh=fresh,
    )
    machine = common.open_machine(
        backend,
        shots=shots,
        precision=precision,
        mitigation=mitigation,
        noise_scale=noise_scale,
        optimization_level=optimization_level,
        layout_trials=layout_trials,
        device=device,
        seed=opened.seed if seed is None else seed,
    )
    ledger = common.open_store(store, blobs, create=True)
    track = on_console(common.console())
    plan = plan_evaluation(opened, machine, options, ledger, track=track)
    if not as_json:
        print_report(plan.report, plan.instead)
        _print_plan(plan)
    if dry_run:
        if as_json:
            common.print_json(plan.as_dict())
        return
    begun = start_evaluation(opened, machine, ledger, options, plan)
    typer.echo(f"run {begun.id} in {ledger.place}", err=as_json)
    hint = "" if store is None else f" --store {shlex.quote(ledger.place)}"
    found = follow.carry_on(ledger, begun, continue_evaluation, hint, detach=detach)
    follow.print_outcome(found, as_json)


def _print_plan(plan: Any) -> None:
    rows = []
    for name, costs, chosen in (
        ("without", plan.without_prefetch, not plan.prefetch),
        ("with", plan.with_prefetch, plan.prefetch),
    ):
        rows.append(
            [
                name + (" (chosen)" if chosen else ""),
                f"{costs.rows:,}",
                f"{costs.known:,}",
                f"{costs.jobs:,}",
                f"{plan.waits[name]:,}",
                "–" if costs.executions is None else f"{costs.executions:,}",
                "–" if costs.seconds is None else f"{costs.seconds:,.1f}",
            ]
        )
    columns = ("prefetch", ">rows", ">known", ">jobs", ">waits", ">executions", ">QPU s")
    common.print_table("what would be bought", columns, rows)
    typer.echo(
        "known: rows that the ledger has or is buying. waits: jobs one after the other; without "
        "prefetch every generated word waits for a job of its own"
    )
