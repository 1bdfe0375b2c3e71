"""``qvlm evaluate``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from qvlm_qiskit.cli import common
from qvlm_qiskit.cli.grouped import grouped
from qvlm_qiskit.cli.measured import print_accuracies, print_metrics
from qvlm_qiskit.cli.options import MachineOptions, MetricOptions, QuestionOptions


@grouped
def evaluate(
    run: Annotated[Path, typer.Argument(help="Run folder of qvlm train or demo.")],
    machine: MachineOptions,
    questions: QuestionOptions,
    judging: MetricOptions,
    threads: common.Threads = 1,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write a page with pictures, wrong answers first, confusions and curves.",
            show_default=False,
        ),
    ] = None,
    as_json: common.AsJson = False,
) -> None:
    """Ask held-out questions on a backend and print the exact-match accuracy and other metrics.

    With --json also every question and its answer, the wrong ones first.
    """
    from qvlm_qiskit.runs import Run

    common.check_threads(threads)
    _check_report(report)
    judging.names()
    machine.check()
    opened = Run.open(run).on(questions.name())
    machine.check_techniques()
    common.use_threads(threads)
    from qvlm_qiskit.basics.progress import on_console
    from qvlm_qiskit.studies.measure import circuits_on, evaluate_on, metrics_on

    backend = machine.open(opened.seed, opened.answering_model)
    metrics = judging.metrics(backend, opened)
    exam = _exam(opened, questions, backend, metrics)
    # What doesn't fit on the device is refused before it runs.
    circuits = circuits_on(exam.model.module, backend)
    with common.through_ledger(backend) as kept:
        track = on_console(common.console())
        found, record = evaluate_on(exam, kept, batch_size=questions.batch, track=track)
        measured = metrics_on(exam, kept, found, metrics, batch_size=questions.batch)
    record |= measured.as_dict()
    if report is not None:
        _write_report(report, backend, opened, exam, found, record, circuits)
    if as_json:
        answered = exam.answered({"answer": found.answers})
        common.print_json({**record, "questions": [_flat(entry) for entry in answered]})
    else:
        _print_tables(run, record)


def _exam(opened: Any, questions: QuestionOptions, backend: Any, metrics: Any) -> Any:
    """The questions, once it is sure that model, metrics and machine can take them.

    Raises:
        InputError: One of them can't.
    """
    from qvlm_qiskit.evaluation import Exam
    from qvlm_qiskit.evaluation.loss import language_model
    from qvlm_qiskit.studies.measure import check_circuits

    model = opened.answering_model().limited(questions.max_new_tokens)
    exam = Exam(model, opened.samples("test", questions.limit))
    check_circuits(exam, backend)
    model.check_questions(exam.samples)
    metrics.check_references(exam.references)
    for note in model.notes(exam.samples):
        common.say(f"qvlm: {note}", err=True)
    if metrics.need_tokens:
        language_model(exam)
    if metrics.need_tokens and backend.kind != "exact":
        common.say("qvlm: metrics of tokens take a pass more than qvlm preflight counts", err=True)
    return exam


def _write_report(
    path: Path, backend: Any, opened: Any, exam: Any, found: Any, record: Any, circuits: Any
) -> None:
    """The page of what was found."""
    from qvlm_qiskit.basics.files import write_text
    from qvlm_qiskit.studies.reports.chip import Chip
    from qvlm_qiskit.studies.reports.evaluation_report import evaluation_page

    chip = Chip.of(backend.compiler.target) if backend.compiler else None
    write_text(path, evaluation_page(opened, exam, found, record, chip, circuits))
    common.say(f"qvlm: report: {path}", err=True)


def _print_tables(run: Path, record: Mapping[str, Any]) -> None:
    """What was found, and what a mitigation chose."""
    title = f"{run} on {_described(record['backend'])}"
    if "exact-match" in {entry["metric"] for entry in record["metrics"]}:
        print_accuracies(title, record)
        title = f"the same {record['total']:,} questions"
    print_metrics(title, record)
    common.print_choices(record["backend"]["choices"])


def _check_report(path: Path | None) -> None:
    """Refuse a page that can't be written, or would replace something.

    Raises:
        InputError: It is there already, or there is no folder for it.
    """
    from qvlm_qiskit.errors import InputError

    if path is None:
        return
    if path.suffix != ".html":
        raise InputError(f"a report ends in .html, got {path}")
    if path.exists():
        raise InputError(f"{path} exists already; choose another name for the report")
    if not path.absolute().parent.is_dir():
        raise InputError(f"there is no folder {path.absolute().parent} for the report")


def _described(about: Mapping[str, Any]) -> str:
    """A machine in a title."""
    shown = f"{about['name']} ({about['kind']}"
    shown += f", {about['shots']} shots" if about["shots"] else ""
    return shown + (f", {about['mitigation']})" if about["mitigation"] != "none" else ")")


def _flat(entry: dict[str, Any]) -> dict[str, Any]:
    """A question of one machine."""
    plain = {k: v for k, v in entry.items() if k not in ("answers", "wrong")}
    return {**plain, "answer": entry["answers"]["answer"], "correct": not entry["wrong"]}
