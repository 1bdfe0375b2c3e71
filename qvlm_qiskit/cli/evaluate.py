"""``qvlm evaluate``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from qvlm_qiskit.cli import common
from qvlm_qiskit.cli.grouped import grouped
from qvlm_qiskit.cli.options import MachineOptions, QuestionOptions

ALWAYS = ("exact-match",)
EXACTLY = ("exact-match", "next-token-accuracy", "perplexity")
"""What is measured unless metrics are named: on any machine, and on exact ones."""


@dataclass(frozen=True, kw_only=True)
class MetricOptions:
    """What the answers are judged by."""

    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Repeated, or joined by commas: exact-match, vqa-accuracy, bleu, cider, rouge-l, "
            "meteor, of generated answers; next-token-accuracy, perplexity, of the right answers' "
            "tokens, for one forward pass per batch more than qvlm preflight counts. By default "
            "exact-match, on exact machines those two besides.",
            show_default=False,
        ),
    ] = None
    caption_tokenizer: Annotated[
        str,
        typer.Option(
            help="Of bleu, cider, rouge-l and meteor: java (COCO's, with the extra captions), port "
            "(this package's), auto (java where it is there, else port); the output says which."
        ),
    ] = "auto"

    def names(self) -> list[str]:
        """The metrics that are named.

        Raises:
            UnknownNameError: One of them is unknown; nothing heavy is imported to see that.
        """
        from qvlm_qiskit.recipes import METRICS

        found = [name.strip() for text in self.metric or () for name in text.split(",")]
        for name in found:
            METRICS.check(name)
        return found

    def metrics(self, backend: Any, run: Any) -> Any:
        """The metrics that are named, or those that the machine's evaluations have.

        Raises:
            QVLMError: One of them needs what this machine has not.
        """
        from qvlm_qiskit.evaluation import Metrics
        from qvlm_qiskit.recipes import HYBRID

        words = backend.kind == "exact" and run.model_name == HYBRID
        default = EXACTLY if words else ALWAYS
        return Metrics(self.names() or default, self.caption_tokenizer)


@grouped
def evaluate(
    run: Annotated[Path, typer.Argument(help="Run folder of qvlm train or demo.")],
    machine: MachineOptions,
    questions: QuestionOptions,
    judging: MetricOptions,
    threads: common.Threads = 1,
    as_json: common.AsJson = False,
) -> None:
    """Ask held-out questions on a backend and print the exact-match accuracy and other metrics.

    With --json also every question and its answer, the wrong ones first.
    """
    from qvlm_qiskit.runs import Run

    common.check_threads(threads)
    judging.names()
    machine.check()
    opened = Run.open(run).on(questions.name())
    machine.check_techniques()
    common.use_threads(threads)
    from qvlm_qiskit.basics.progress import on_console
    from qvlm_qiskit.evaluation import Exam
    from qvlm_qiskit.studies.measure import (
        check_circuits,
        circuits_on,
        evaluate_on,
        language_model,
        metrics_on,
    )

    backend = machine.open(opened.seed)
    metrics = judging.metrics(backend, opened)
    exam = Exam(opened.answering_model(), opened.samples("test", questions.limit))
    check_circuits(exam, backend)
    metrics.check_references(exam.references)
    for note in exam.model.notes(exam.samples):
        common.say(f"qvlm: {note}", err=True)
    if metrics.need_tokens:
        language_model(exam)
    if metrics.need_tokens and backend.kind != "exact":
        common.say("qvlm: metrics of tokens take a pass more than qvlm preflight counts", err=True)
    circuits_on(
        exam.model.module, backend
    )  # what doesn't fit on the device is refused before it runs
    with common.through_ledger(backend) as kept:
        found, record = evaluate_on(
            exam,
            kept,
            batch_size=questions.batch,
            track=on_console(common.console()),
        )
        measured = metrics_on(exam, kept, found, metrics, batch_size=questions.batch)
    record |= measured.as_dict()
    if as_json:
        answered = exam.answered({"answer": found.answers})
        common.print_json({**record, "questions": [_flat(entry) for entry in answered]})
        return
    _print(f"{run} on {_described(record['backend'])}", record)
    common.print_choices(record["backend"]["choices"])


def _print(title: str, record: Mapping[str, Any]) -> None:
    """The table of accuracies, where they were asked for, and that of the other metrics."""
    names = {entry["metric"] for entry in record["metrics"]}
    if "exact-match" in names:
        rows = [common.accuracy_row("all questions", record)]
        rows += [common.accuracy_row(kind, part) for kind, part in record["by_kind"].items()]
        common.print_table(title, common.ACCURACY_COLUMNS, rows)
        title = f"the same {record['total']:,} questions"
    if others := [_row(entry) for entry in record["metrics"] if entry["metric"] != "exact-match"]:
        common.print_table(title, ("metric", ">value", ">95 % interval"), others)
    if record["tokenizer"] is not None:
        common.say(f"tokens of captions by {record['tokenizer']['note']}")


def _row(entry: Mapping[str, Any]) -> list[str]:
    """A metric's number and its interval, as percentages where they are shares."""
    form = "{:.1%}" if entry["unit"] == "share" else "{:.3f}"
    value, low, high = (form.format(entry[name]) for name in ("value", "low", "high"))
    return [entry["label"], value, f"{low} – {high}"]


def _described(about: Mapping[str, Any]) -> str:
    """A machine in a title."""
    shown = f"{about['name']} ({about['kind']}"
    shown += f", {about['shots']} shots" if about["shots"] else ""
    return shown + (f", {about['mitigation']})" if about["mitigation"] != "none" else ")")


def _flat(entry: dict[str, Any]) -> dict[str, Any]:
    """A question of one machine."""
    plain = {k: v for k, v in entry.items() if k not in ("answers", "wrong")}
    return {**plain, "answer": entry["answers"]["answer"], "correct": not entry["wrong"]}
