"""``qvlm jobs``: the runs of a ledger, and what can be done with them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from qvlm_qiskit.cli import common, follow

app = typer.Typer(
    rich_markup_mode=None, help="Look at, go on with, stop and keep what qvlm submit began."
)

LAST = "last"

Identifier = Annotated[
    str, typer.Argument(help="The run's id, the beginning of it, or last.", metavar="ID")
]
Detach = Annotated[
    bool, typer.Option("--detach", help="Return as soon as the next jobs are accepted.")
]


@app.command("list")
def list_runs(
    store: common.StorePlace = None,
    blobs: common.Blobs = None,
    as_json: common.AsJson = False,
) -> None:
    """List all runs of the ledger, the oldest first."""
    from qvlm_qiskit.jobs.ledger import runs

    ledger = common.open_store(store, blobs)
    found = []
    for run in runs.list_runs(ledger):
        jobs = runs.submissions_of(ledger, run)
        answered = sum(str(job.state) == "answered" for job in jobs)
        found.append((run, answered, len(jobs)))
    if as_json:
        common.print_json(
            [
                {
                    **{k: v for k, v in follow.run_json(run).items() if k != "result"},
                    "jobs": jobs,
                    "jobs_answered": answered,
                    "accuracy": None if run.result is None else run.result["accuracy"],
                }
                for run, answered, jobs in found
            ]
        )
        return
    common.print_table(
        f"runs in {ledger.place}",
        ("run", "=state", "=machine", ">jobs", ">right", ">begun (UTC)"),
        [
            (
                run.id,
                run.state,
                run.request["backend"]["name"],
                f"{answered}/{jobs}",
                f"{'–' if run.result is None else run.result['correct']}"
                f"/{run.request['options']['limit']}",
                _utc(run.created_at)[5:16],
            )
            for run, answered, jobs in found
        ],
    )


@app.command("show")
def show(
    identifier: Identifier,
    store: common.StorePlace = None,
    blobs: common.Blobs = None,
    as_json: common.AsJson = False,
) -> None:
    """Show the jobs of a run and their histories."""
    from qvlm_qiskit.inference.export import described, submissions_behind
    from qvlm_qiskit.jobs.costs.usage import executions_of

    ledger = common.open_store(store, blobs)
    run = _load(ledger, identifier)
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
        typer.echo(f"- {run.error}")


@app.command("resume")
def resume(
    identifier: Identifier,
    budget_seconds: common.BudgetSeconds = None,
    budget_executions: common.BudgetExecutions = None,
    detach: Detach = False,
    store: common.StorePlace = None,
    blobs: common.Blobs = None,
    as_json: common.AsJson = False,
) -> None:
    """Go on with a run until its end, in any process; a budget replaces the run's own."""
    from qvlm_qiskit.inference import continue_evaluation

    budget = _budget(budget_seconds, budget_executions)
    _go_on(continue_evaluation, identifier, store, blobs, as_json, detach=detach, budget=budget)


@app.command("watch")
def watch(
    identifier: Identifier,
    interval: Annotated[
        float | None,
        typer.Option(help="Seconds between two questions for a job; by default 1 to 20."),
    ] = None,
    store: common.StorePlace = None,
    blobs: common.Blobs = None,
    as_json: common.AsJson = False,
) -> None:
    """Show a run's jobs live, and send the next ones, until it is done."""
    from qvlm_qiskit.inference import continue_evaluation
    from qvlm_qiskit.jobs import Policy

    policy = None
    if interval is not None:
        policy = Policy(poll_seconds=interval, longest_poll_seconds=interval)
    _go_on(continue_evaluation, identifier, store, blobs, as_json, policy=policy)


@app.command("cancel")
def cancel(
    identifier: Identifier, store: common.StorePlace = None, blobs: common.Blobs = None
) -> None:
    """Stop a run: withdraw what was not sent, and ask the server to stop the rest."""
    from qvlm_qiskit.errors import JobError
    from qvlm_qiskit.inference import cancel_evaluation
    from qvlm_qiskit.jobs.ledger.runs import living_for

    ledger = common.open_store(store, blobs)
    run, left = cancel_evaluation(ledger, _load(ledger, identifier).id)
    for job, others in living_for(ledger, run)[1].items():
        typer.echo(f"job {job} runs on: {', '.join(others)} waits for it, too")
    if left:
        raise JobError(
            f"run {run.id} is cancelled, but nobody knows yet whether {', '.join(left)} could be "
            f"stopped: call qvlm jobs cancel {run.id} again"
        )
    typer.echo(f"run {run.id} is cancelled")


@app.command("retry")
def retry(
    identifier: Identifier,
    budget_seconds: common.BudgetSeconds = None,
    budget_executions: common.BudgetExecutions = None,
    detach: Detach = False,
    store: common.StorePlace = None,
    blobs: common.Blobs = None,
    as_json: common.AsJson = False,
) -> None:
    """Make a new attempt at each job that ended without results, and go on."""
    from qvlm_qiskit.inference import retry_evaluation

    budget = _budget(budget_seconds, budget_executions)
    _go_on(retry_evaluation, identifier, store, blobs, as_json, detach=detach, budget=budget)


@app.command("results")
def results(
    identifier: Identifier,
    store: common.StorePlace = None,
    blobs: common.Blobs = None,
    as_json: common.AsJson = False,
) -> None:
    """Print the accuracy and the answers of a run that is done."""
    from qvlm_qiskit.errors import JobPending

    ledger = common.open_store(store, blobs)
    run = _load(ledger, identifier)
    if run.result is None:
        raise JobPending(f"run {run.id} is {run.state} and has no result yet")
    if as_json:
        common.print_json(run.result)
        return
    follow.print_outcome(run, as_json=False)
    rows = [
        (one["question"], one["expected"], one["answer"], _mark(one))
        for one in run.result["questions"]
    ]
    common.print_table("answers", ("question", "expected", "answer", ""), rows)


@app.command("usage")
def usage(
    ask: Annotated[
        bool, typer.Option("--ask", help="First ask IBM machines for bills that are missing.")
    ] = False,
    store: common.StorePlace = None,
    blobs: common.Blobs = None,
    as_json: common.AsJson = False,
) -> None:
    """Print what jobs have cost by machine and run, and what the ledger has saved."""
    from dataclasses import asdict

    from qvlm_qiskit.jobs.costs.usage import usage as costs
    from qvlm_qiskit.jobs.ledger.runs import list_runs as all_runs

    ledger = common.open_store(store, blobs)
    if ask:
        _ask_for_bills(ledger)
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


@app.command("verify")
def verify(
    identifier: Annotated[
        str | None,
        typer.Argument(help="A run's id, its beginning, or last; by default all.", metavar="ID"),
    ] = None,
    restore: Annotated[
        bool, typer.Option("--restore", help="First fetch damaged raw results again.")
    ] = False,
    store: common.StorePlace = None,
    blobs: common.Blobs = None,
) -> None:
    """Decode stored raw results again, offline, and compare with the answers bit for bit."""
    from qvlm_qiskit.inference.export import submissions_behind
    from qvlm_qiskit.jobs.verify import verify as verified

    ledger = common.open_store(store, blobs)
    if restore:
        _restore(ledger)
    if identifier is None:
        rows = verified(ledger)
    else:
        jobs = submissions_behind(ledger, _load(ledger, identifier))
        rows = sum(verified(ledger, job) for job in jobs if str(job.state) == "answered")
    typer.echo(f"{rows:,} rows are what their raw results say")


@app.command("export")
def export(
    identifier: Identifier,
    out: Annotated[
        Path | None,
        typer.Option(
            help="A new folder, or a file that ends in .zip; by default a folder named by the id.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace it if it exists.")
    ] = False,
    store: common.StorePlace = None,
    blobs: common.Blobs = None,
) -> None:
    """Write a run's record, what was sent and what came back, with checksums."""
    from qvlm_qiskit.inference import export_run

    ledger = common.open_store(store, blobs)
    run = _load(ledger, identifier)
    out = out or Path(run.id)
    sums = export_run(ledger, run.id, out, overwrite=overwrite)
    typer.echo(f"{len(sums)} files in {out}, with their SHA-256 in SHA256SUMS", err=True)


def _ask_for_bills(ledger: Any) -> None:
    from qvlm_qiskit.jobs import Recording
    from qvlm_qiskit.jobs.costs.bills import settle
    from qvlm_qiskit.jobs.recording import service_for
    from qvlm_qiskit.jobs.services.local import HERE

    sent = [job for job in ledger.find() if job.server_id and job.account != HERE]
    for name in sorted({job.machine for job in sent}):
        service = service_for(common.open_machine(name), ledger, Recording())
        if service.charges:
            left = settle(ledger, service)
            typer.echo(f"{name}: {left} jobs are still without a bill", err=True)


def _restore(ledger: Any) -> None:
    from qvlm_qiskit.jobs import Recording
    from qvlm_qiskit.jobs.recording import service_for
    from qvlm_qiskit.jobs.verify import damaged_results, restore_result

    for job in damaged_results(ledger):
        machine = common.open_machine(job.machine)
        restore_result(ledger, service_for(machine, ledger, Recording()), job)
        typer.echo(f"the raw result of {job.id} was fetched from {job.machine} again", err=True)


def _go_on(
    step: Any,
    identifier: str,
    store: str | None,
    blobs: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    common.use_threads(1)
    ledger = common.open_store(store, blobs)
    run = _load(ledger, identifier)
    hint = "" if store is None else f" --store {shlex.quote(ledger.place)}"
    found = follow.carry_on(ledger, run, step, hint, **options)
    follow.print_outcome(found, as_json)


def _load(ledger: Any, identifier: str) -> Any:
    """The run of that id; "last" is the one that was begun last."""
    from qvlm_qiskit.jobs.ledger.runs import list_runs as all_runs
    from qvlm_qiskit.jobs.ledger.runs import load_run

    found = all_runs(ledger) if identifier == LAST else []
    return found[-1] if found else load_run(ledger, identifier)


def _budget(seconds: float | None, executions: int | None) -> Any:
    from qvlm_qiskit.jobs import Budget

    return None if seconds is None and executions is None else Budget(seconds, executions)


def _mark(answer: dict[str, Any]) -> str:
    return "" if answer["answer"] == answer["expected"] else "wrong"


def _named(job: Any, run: str) -> str:
    text = str(job.id) if job.attempt == 1 else f"{job.id}, attempt {job.attempt}"
    return text if job.run == run else f"{text} (another run's)"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _utc(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
