"""``qvlm jobs list|show|results|usage``: what a ledger has."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any

import typer

from qvlm_qiskit.cli import common, follow
from qvlm_qiskit.cli.grouped import grouped
from qvlm_qiskit.cli.jobs.machines import ask_for_bills
from qvlm_qiskit.cli.jobs.run import Identifier, load, own_command
from qvlm_qiskit.cli.options import LedgerOptions


@grouped
def list_runs(
    kept: LedgerOptions,
    as_json: common.AsJson = False,
) -> None:
    """List all runs of the ledger, the oldest first."""
    from qvlm_qiskit.jobs.ledger import runs

    ledger = kept.open()
    counts = runs.job_counts(ledger)
    found = [(run, *counts.get(run.id, (0, 0))) for run in runs.list_runs(ledger)]
    if as_json:
        common.print_json(
            [
                {
                    **{k: v for k, v in follow.run_json(run).items() if k != "result"},
                    "jobs": jobs,
                    "jobs_answered": answered,
                    "accuracy": (run.result or {}).get("accuracy"),
                }
                for run, answered, jobs in found
            ]
        )
        return
    common.print_table(
        f"runs in {ledger.place}",
        ("run", "=state", "model", "=machine", ">jobs", ">right", ">begun (UTC)"),
        [
            (
                run.id,
                run.state,
                PurePath(run.request["run"]).name,
                run.request["backend"]["name"],
                f"{answered}/{jobs}",
                _right(run),
                _utc(run.created_at)[5:16],
            )
            for run, answered, jobs in found
        ],
    )


@grouped
def show(
    identifier: Identifier,
    kept: LedgerOptions,
    as_json: common.AsJson = False,
) -> None:
    """Show the jobs of a run and their histories."""
    from qvlm_qiskit.inference.export import described, submissions_behind
    from qvlm_qiskit.jobs.costs.usage import executions_of

    ledger = kept.open()
    run = load(ledger, identifier)
    jobs = submissions_behind(ledger, run)
    if as_json:
        entries = [described(ledger, job) for job in jobs]
        common.print_json({**follow.run_json(run), "submissions": entries})
        return
    rows = [
        (
            _named(job, run.id),
            str(job.state),
            f"{job.rows:,}",
            _number(executions_of(ledger, job), ","),
            _number(job.seconds_estimated, ",.1f"),
            _number(job.seconds_used, ",.1f"),
            common.short(job.server_id),
        )
        for job in jobs
    ]
    columns = ("job", "=state", ">rows", ">executions", ">est. s", ">used s", "=server id")
    name = run.request["backend"]["name"]
    common.print_table(f"{run.id} on {name}: {run.state}", columns, rows)
    events = sorted(
        (event.at, job.id, event.state, event.note)
        for job in jobs
        for event in ledger.history(job.id)
    )
    common.print_table(
        "history",
        ("UTC", "=job", "=state", "what happened"),
        [(_utc(at)[5:], job, state, note) for at, job, state, note in events],
    )
    if run.error:
        common.say(f"- {run.error}")


@grouped
def results(
    identifier: Identifier,
    kept: LedgerOptions,
    as_json: common.AsJson = False,
) -> None:
    """Print the accuracy and the answers of a run that is done."""
    from qvlm_qiskit.errors import JobPending

    ledger = kept.open()
    run = load(ledger, identifier)
    if run.result is None:
        raise JobPending(f"run {run.id} is {run.state} and has no result yet")
    if as_json:
        common.print_json(run.result)
        return
    follow.print_outcome(run, as_json=False)
    if own_command(run):
        return
    rows = [
        (one["question"], one["expected"], one["answer"], _mark(one))
        for one in run.result["questions"]
    ]
    common.print_table("answers", ("question", "expected", "answer", ""), rows)


@grouped
def usage(
    kept: LedgerOptions,
    ask: Annotated[
        bool, typer.Option("--ask", help="First ask IBM machines for bills that are missing.")
    ] = False,
    as_json: common.AsJson = False,
) -> None:
    """Print what jobs have cost by machine and run, and what the ledger has saved."""
    from dataclasses import asdict

    from qvlm_qiskit.jobs.costs.usage import usage as costs
    from qvlm_qiskit.jobs.ledger.runs import list_runs as all_runs

    ledger = kept.open()
    if ask:
        ask_for_bills(ledger)
    spent = costs(ledger)
    saved = {
        run.id: {
            key: run.result["costs"][key]
            for key in ("rows_saved", "executions_saved", "seconds_saved")
        }
        for run in all_runs(ledger)
        if run.result is not None
    }
    if as_json:
        common.print_json({"usage": [asdict(part) for part in spent], "saved": saved})
        return
    common.print_table(
        f"spent, by {ledger.place}",
        ("run", "=machine", ">jobs", ">rows", ">executions", ">QPU s (est.)"),
        [
            (
                part.run or "–",
                part.machine,
                f"{part.jobs:,}",
                f"{part.rows:,}",
                _number(part.executions, ","),
                f"{_number(part.seconds_charged, ',.1f')} "
                f"({_number(part.seconds_estimated, ',.1f')})",
            )
            for part in spent
        ],
    )
    common.print_table(
        "saved, because the ledger had the rows",
        ("run", ">rows", ">executions", ">QPU s"),
        [
            (
                run,
                f"{part['rows_saved']:,}",
                f"{part['executions_saved']:,}",
                f"{part['seconds_saved']:,.1f}",
            )
            for run, part in saved.items()
        ],
    )


def _right(run: Any) -> str:
    """Right answers of an evaluation; others have none."""
    if what := own_command(run):
        return what
    right = "–" if run.result is None else run.result["correct"]
    return f"{right}/{run.request['options']['limit']}"


def _mark(answer: dict[str, Any]) -> str:
    same = answer["answer"] == answer["expected"]  # all that older results say
    return "" if answer.get("correct", same) else "wrong"


def _named(job: Any, run: str) -> str:
    text = str(job.id) if job.attempt == 1 else f"{job.id}, attempt {job.attempt}"
    return text if job.run == run else f"{text} (another run's)"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _utc(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
