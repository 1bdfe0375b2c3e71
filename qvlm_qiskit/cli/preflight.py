"""``qvlm preflight``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from qvlm_qiskit.cli import common
from qvlm_qiskit.cli.grouped import Takes, grouped
from qvlm_qiskit.cli.options import MachineOptions, QuestionOptions


@grouped
def preflight(
    run: Annotated[Path, typer.Argument(help="Run folder of qvlm train or demo.")],
    machine: Annotated[MachineOptions, Takes(defaults={"mitigation": None})],
    questions: QuestionOptions,
    service_dry_run: Annotated[
        bool,
        typer.Option(
            help="Also send the largest job as a dry run to the machine's service, which uses no "
            "QPU time, and show its figure (one --mitigation).",
        ),
    ] = False,
    as_json: common.AsJson = False,
) -> None:
    """Say what qvlm evaluate would cost on a backend, and what its circuits become; run nothing.

    Without --mitigation, all that the backend offers are compared.
    """
    from qvlm_qiskit.runs import Run

    machine.check()
    opened = Run.open(run).on(questions.name())
    machine.check_techniques()
    common.use_threads(1)
    from qvlm_qiskit.basics.progress import on_console
    from qvlm_qiskit.evaluation import Exam
    from qvlm_qiskit.inference.preflight import jobs_in_a_row, preflight_evaluation

    backend = machine.open(opened.seed, opened.answering_model)
    model = opened.answering_model().limited(questions.max_new_tokens)
    samples = opened.samples("test", questions.limit)
    report, instead = preflight_evaluation(
        Exam(model, samples),
        backend,
        batch_size=questions.batch,
        mitigations=None if machine.mitigation is None else [machine.mitigation],
        service_dry_run=service_dry_run,
        track=on_console(common.console()),
    )
    longest = jobs_in_a_row(model.module, model.passes)
    if as_json:
        generation = {"tokens": model.passes, "jobs_in_a_row": longest}
        common.print_json(
            {
                **report.as_dict(),
                "instead": instead,
                "generation": generation,
                "machine": backend.describe(),
            }
        )
        return
    print_report(report, instead)
    if not report.computes:
        common.say(_waits(jobs_in_a_row(model.module, 1), longest, model.passes))


def _waits(short: int, longest: int, tokens: int) -> str:
    """What a batch waits for."""
    if tokens == 1:
        return f"a batch waits for at most {longest} jobs one after the other"
    return (
        f"a batch waits for {short} jobs one after the other where answers have 1 token, for "
        f"{longest} where they have {tokens}; qvlm submit --prefetch waits once"
    )


def print_report(report: Any, instead: Sequence[str]) -> None:
    """Print a preflight: circuits, costs, and what is to be said about them."""
    print_circuits(report.tables(), [*report.notes(), *instead])
    if any(level.seconds_qpu is not None for level in report.levels):
        common.say(report.formula)
    if report.computes:
        common.say("this backend computes its values: no shots, no jobs")


def print_circuits(tables: Sequence[Any], notes: Sequence[str]) -> None:
    """Print tables whose first column names quantum layers, and what is to be said about them."""
    for table in tables:
        rows = [(_short(row[0]), *row[1:]) for row in table.rows]
        common.print_table(table.title, table.columns, rows)
    for note in notes:
        common.say(f"- {_short(note)}")


def _short(text: str) -> str:
    """Module names of quantum layers without what all of them have."""
    return text.replace("vision.embeddings.patch_embeddings.", "").replace(".core.layer", "")
