"""``qvlm jobs resume|watch|cancel|retry``: going on with a run, and stopping it."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from qvlm_qiskit.basics.counted import counted
from qvlm_qiskit.cli import common, follow
from qvlm_qiskit.cli.grouped import grouped
from qvlm_qiskit.cli.jobs.run import Identifier, how_to_go_on, load, own_command
from qvlm_qiskit.cli.options import BudgetOptions, LedgerOptions

Detach = Annotated[
    bool, typer.Option("--detach", help="Return as soon as the next jobs are accepted.")
]


@grouped
def resume(
    identifier: Identifier,
    limits: BudgetOptions,
    kept: LedgerOptions,
    detach: Detach = False,
    as_json: common.AsJson = False,
) -> None:
    """Go on with a run until its end, in any process; a budget replaces the run's own."""
    from qvlm_qiskit.inference import continue_evaluation

    step = partial(continue_evaluation, detach=detach, budget=limits.budget())
    _go_on(step, identifier, kept, as_json)


@grouped
def watch(
    identifier: Identifier,
    kept: LedgerOptions,
    interval: Annotated[
        float | None,
        typer.Option(help="Seconds between two questions for a job; by default 1 to 20."),
    ] = None,
    as_json: common.AsJson = False,
) -> None:
    """Show a run's jobs live, and send the next ones, until it is done."""
    from qvlm_qiskit.inference import continue_evaluation
    from qvlm_qiskit.jobs import Policy

    policy = None
    if interval is not None:
        policy = Policy(poll_seconds=interval, longest_poll_seconds=interval)
    _go_on(continue_evaluation, identifier, kept, as_json, policy)


@grouped
def cancel(identifier: Identifier, kept: LedgerOptions) -> None:
    """Stop a run: withdraw what was not sent, and ask the server to stop the rest."""
    from qvlm_qiskit.errors import JobError
    from qvlm_qiskit.inference import cancel_evaluation
    from qvlm_qiskit.jobs.ledger.runs import living_for

    ledger = kept.open()
    run, left = cancel_evaluation(ledger, load(ledger, identifier).id)
    for job, others in living_for(ledger, run)[1].items():
        common.say(f"job {job} runs on: {', '.join(others)} waits for it, too")
    if left:
        raise JobError(
            f"run {run.id} is cancelled, but nobody knows yet whether {', '.join(left)} could be "
            f"stopped: call qvlm jobs cancel {run.id} again"
        )
    common.say(f"run {run.id} is cancelled")


@grouped
def retry(
    identifier: Identifier,
    limits: BudgetOptions,
    kept: LedgerOptions,
    detach: Detach = False,
    as_json: common.AsJson = False,
) -> None:
    """Make a new attempt at each job that ended without results, and go on."""
    from qvlm_qiskit.inference import retry_evaluation
    from qvlm_qiskit.jobs.ledger.runs import retry_ended

    ledger = kept.open()
    if own_command(run := load(ledger, identifier)):
        again = retry_ended(ledger, run)
        common.say(f"{counted(len(again), 'job')} will be attempted again; {how_to_go_on(run)}")
        return
    step = partial(retry_evaluation, detach=detach, budget=limits.budget())
    _go_on(step, identifier, kept, as_json)


def _go_on(
    step: Any, identifier: str, kept: LedgerOptions, as_json: bool, policy: Any = None
) -> None:
    from qvlm_qiskit.errors import InputError

    ledger = kept.open()
    run = load(ledger, identifier)
    if own_command(run) and run.state != "done":
        raise InputError(how_to_go_on(run))
    common.use_threads(1)
    found = follow.carry_on(ledger, run, step, kept.hint(ledger), policy)
    follow.print_outcome(found, as_json)
