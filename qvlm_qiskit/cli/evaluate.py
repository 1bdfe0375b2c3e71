"""``qvlm evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from qvlm_qiskit.cli import common
from qvlm_qiskit.cli.grouped import grouped
from qvlm_qiskit.cli.options import MachineOptions, QuestionOptions


@grouped
def evaluate(
    run: Annotated[Path, typer.Argument(help="Run folder of qvlm train or demo.")],
    machine: MachineOptions,
    questions: QuestionOptions,
    threads: common.Threads = 1,
    as_json: common.AsJson = False,
) -> None:
    """Ask held-out questions on a backend and print the exact-match accuracy.

    With --json also every question and its answer, the wrong ones first.
    """
    from qvlm_qiskit.runs import Run

    common.check_threads(threads)
    machine.check()
    opened = Run.open(run).on(questions.name())
    machine.check_techniques()
    common.use_threads(threads)
    from qvlm_qiskit.basics.progress import on_console
    from qvlm_qiskit.evaluation import Exam
    from qvlm_qiskit.studies.measure import circuits_on, evaluate_on

    backend = machine.open(opened.seed)
    samples = opened.samples("test", questions.limit)
    model, processor = opened.model(), opened.processor()
    circuits_on(model, backend)  # what doesn't fit on the device is refused before it runs
    exam = Exam(model, processor, samples)
    with common.through_ledger(backend) as kept:
        found, record = evaluate_on(
            exam,
            kept,
            batch_size=questions.batch,
            track=on_console(common.console()),
        )
    if as_json:
        answered = exam.answered({"answer": found.answers})
        common.print_json({**record, "questions": [_flat(entry) for entry in answered]})
        return
    rows = [common.accuracy_row("all questions", record)]
    rows += [common.accuracy_row(kind, part) for kind, part in record["by_kind"].items()]
    about = record["backend"]
    shown = f"{about['name']} ({about['kind']}"
    shown += f", {about['shots']} shots" if about["shots"] else ""
    shown += f", {about['mitigation']})" if about["mitigation"] != "none" else ")"
    common.print_table(f"{run} on {shown}", common.ACCURACY_COLUMNS, rows)
    common.print_choices(about["choices"])


def _flat(entry: dict[str, Any]) -> dict[str, Any]:
    """A question of one machine."""
    plain = {k: v for k, v in entry.items() if k not in ("answers", "wrong")}
    return {**plain, "answer": entry["answers"]["answer"], "correct": not entry["wrong"]}
