"""``qvlm submit``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from qvlm_qiskit.cli import common, follow
from qvlm_qiskit.cli.grouped import Takes, grouped
from qvlm_qiskit.cli.options import (
    BudgetOptions,
    DataOptions,
    LedgerOptions,
    MachineOptions,
    MetricOptions,
)
from qvlm_qiskit.cli.preflight import print_report
from qvlm_qiskit.errors import InputError

Machine = Annotated[
    MachineOptions, Takes(without=("method", "max_age_days"), defaults={"backend": ...})
]


@dataclass(frozen=True, kw_only=True)
class Purchase(BudgetOptions):
    """What is bought, see `qvlm_qiskit.inference.SubmitOptions`, and where it is kept."""

    limit: Annotated[int, typer.Option(help="Number of held-out questions, in one batch.")] = 200
    mode: Annotated[
        str,
        typer.Option(
            help="On IBM machines: batch, session (bills elapsed time; --budget-seconds counts "
            "jobs and limits each session's length), or job (each by itself)."
        ),
    ] = "batch"
    prefetch: Annotated[
        bool,
        typer.Option(
            "--prefetch",
            help="Buy every row of the text block that generation may need in one job first.",
        ),
    ] = False
    calibration: Annotated[
        str,
        typer.Option(
            help="any: answers stay valid after a calibration; another text, such as a date: "
            "answers of that one only."
        ),
    ] = "any"
    fresh: Annotated[
        str, typer.Option(help="Another text asks for new samples of rows that are known.")
    ] = ""
    max_new_tokens: common.MaxNewTokens = common.MAX_NEW_TOKENS
    replan_if: Annotated[
        float | None,
        typer.Option(
            help="Send nothing more once a calibration has lowered the circuits' estimated success "
            "by more than this, such as 0.1.",
            show_default=False,
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise InputError(f"an evaluation needs at least 1 question, got {self.limit}")
        common.check_new_tokens(self.max_new_tokens)

    def options(self, judging: MetricOptions) -> Any:
        """The same as the evaluation's options, with the metrics.

        Raises:
            InputError: No questions, another mode or metric, or a limit that is not above 0.
        """
        from qvlm_qiskit.inference import SubmitOptions
        from qvlm_qiskit.jobs import Budget

        return SubmitOptions(
            limit=self.limit,
            prefetch=self.prefetch,
            budget=self.budget() or Budget(),
            mode=cast(Any, self.mode),  # checked there
            calibration=self.calibration,
            fresh=self.fresh,
            metrics=judging.names(),
            caption_tokenizer=judging.caption_tokenizer,
            max_new_tokens=self.max_new_tokens,
            replan_if=self.replan_if,
        )


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How far to go, and what to print."""

    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would cost, and stop.")
    ] = False
    detach: Annotated[
        bool, typer.Option("--detach", help="Return as soon as the first jobs are accepted.")
    ] = False
    as_json: common.AsJson = False


@grouped
def submit(
    run: Annotated[Path, typer.Argument(help="Run folder of qvlm train or demo.")],
    machine: Machine,
    purchase: Purchase,
    data: DataOptions,
    judging: MetricOptions,
    kept: LedgerOptions,
    outcome: Outcome,
) -> None:
    """Evaluate by jobs that are never lost or paid for twice; say first what they cost."""
    from qvlm_qiskit.runs import Run

    judging.names()
    machine.check()
    opened = Run.open(run).on(data.name())
    machine.check_techniques()
    options = purchase.options(judging)
    common.use_threads(1)
    from qvlm_qiskit.basics.progress import on_console
    from qvlm_qiskit.inference import continue_evaluation, plan_evaluation, start_evaluation
    from qvlm_qiskit.recipes import HYBRID

    backend = machine.open(opened.seed, opened.answering_model)
    ledger = kept.open(create=True)
    track = on_console(common.console())
    plan = plan_evaluation(opened, backend, options, ledger, track=track)
    if not outcome.as_json:
        print_report(plan.report, plan.instead)
        _print_plan(plan, words=opened.model_name == HYBRID)
    if outcome.dry_run:
        if outcome.as_json:
            common.print_json(plan.as_dict())
        return
    begun = start_evaluation(opened, backend, ledger, options, plan)
    common.say(f"run {begun.id} in {ledger.place}", err=outcome.as_json)
    step = partial(continue_evaluation, detach=outcome.detach)
    found = follow.carry_on(ledger, begun, step, kept.hint(ledger))
    follow.print_outcome(found, outcome.as_json)


def _print_plan(plan: Any, words: bool) -> None:
    """What would be bought; of a model that generates words, with prefetch and without."""
    rows = []
    ways = [
        ("without", plan.without_prefetch, not plan.prefetch),
        ("with", plan.with_prefetch, plan.prefetch),
    ]
    for name, costs, chosen in ways if words else ways[:1]:
        rows.append(
            [
                name + (" (chosen)" if chosen else "") if words else "no difference",
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
    note = "known: rows that the ledger has or is buying. waits: jobs one after the other"
    more = "; without prefetch every generated word waits for a job of its own"
    common.say(note + (more if words else ""))
    _print_learned(plan, ways if words else [("", *ways[0][1:])])


def _print_learned(plan: Any, ways: Iterable[tuple[str, Any, bool]]) -> None:
    """What the bills of this machine make of the estimates."""
    if plan.learned is None:
        return
    figures = [
        f"{plan.learned.seconds(costs.jobs, costs.seconds):,.1f}"
        + (f" {name} prefetch" * bool(name))
        for name, costs, _ in ways
        if costs.seconds is not None
    ]
    if figures:
        common.say(
            f"QPU s above are estimated; learned from {plan.learned.bills} bills of this machine: "
            + ", ".join(figures)
        )
