"""What an evaluation by jobs would cost: what it asks for, and what the ledger lacks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from qvlm_qiskit.backends import Backend, Preflight
from qvlm_qiskit.backends.preflight.rehearse import blocks_of, exact_estimator, rehearse
from qvlm_qiskit.basics.progress import Track, silent
from qvlm_qiskit.evaluation import Exam
from qvlm_qiskit.evaluation.loss import language_model
from qvlm_qiskit.inference.batch import Way, answer_in_one_batch
from qvlm_qiskit.inference.preflight import priced
from qvlm_qiskit.inference.request import SubmitOptions, questions
from qvlm_qiskit.jobs import JobStore
from qvlm_qiskit.jobs.costs.forecast import Forecast, forecast
from qvlm_qiskit.jobs.costs.learned import Learned, learned
from qvlm_qiskit.jobs.recording import row_context
from qvlm_qiskit.runs import Run


@dataclass(frozen=True)
class EvaluationPlan:
    """What an evaluation would submit.

    Attributes:
        report: Circuits and costs of the way that was chosen, all rows counted.
        instead: What this project offers instead of blocks that won't do there.
        chosen: What the ledger would buy.
        other: The same with prefetch where it was not chosen, and without where it was.
        prefetch: Whether it was chosen.
        learned: What the ledger's bills say of the machine's next ones; None: too few.
    """

    report: Preflight
    instead: tuple[str, ...]
    chosen: Forecast
    other: Forecast
    prefetch: bool
    learned: Learned | None = None

    @property
    def with_prefetch(self) -> Forecast:
        """What would be bought with prefetch."""
        return self.chosen if self.prefetch else self.other

    @property
    def without_prefetch(self) -> Forecast:
        """What would be bought without."""
        return self.other if self.prefetch else self.chosen

    @property
    def waits(self) -> dict[str, int]:
        """Jobs that are waited for one after the other, "with" and "without" prefetch."""
        return {
            # both blocks' jobs are sent before the first is waited for
            "with": max(self.with_prefetch.rounds.values(), default=0),
            "without": sum(self.without_prefetch.rounds.values()),
        }

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            **self.report.as_dict(),
            "instead": list(self.instead),
            "prefetch": self.prefetch,
            "with_prefetch": asdict(self.with_prefetch),
            "without_prefetch": asdict(self.without_prefetch),
            "waits": self.waits,
            "learned": (
                None
                if self.learned is None
                else self.learned.as_dict(self.chosen.jobs, self.chosen.seconds)
            ),
        }


def plan_evaluation(
    run: Run,
    backend: Backend,
    options: SubmitOptions | None = None,
    store: JobStore | None = None,
    *,
    track: Track = silent,
) -> EvaluationPlan:
    """What `start_evaluation` with the same arguments would submit; nothing is run there.

    The answers are rehearsed on exact values. Under noise a word can be another one: without
    prefetch, other rows are bought then.

    Args:
        run: The trained run.
        backend: From `open_backend`.
        options: What is asked.
        store: Rows that it has are not bought.
        track: Opens progress bars.

    Raises:
        BackendError: The mitigation can't run there.
        InputError: The model has no quantum layer, a question is longer than what it reads, or a
            metric is not defined for the data.
    """
    chosen = options or SubmitOptions()
    model, metrics = run.answering_model().limited(chosen.max_new_tokens), chosen.judging()
    exam, exact = Exam(model, questions(run, chosen.limit)), exact_estimator()
    blocks_of(model)
    metrics.check_references(exam.references)
    if metrics.need_tokens:
        language_model(exam)
    context = row_context(backend.device_description(), chosen.recording())
    found, costs = {}, {}
    with track("rehearsal", 2) as report_progress:
        for done, ahead in enumerate((True, False), 1):
            way = partial(answer_in_one_batch, exam, Way(ahead, metrics.need_tokens))
            found[ahead] = rehearse(model, way, exact)
            report_progress(done)
    report, instead = priced(backend, model, found[chosen.prefetch])
    for ahead, calls in found.items():
        costs[ahead] = forecast(store, backend, calls, context)
    return EvaluationPlan(
        report=report,
        instead=tuple(instead),
        chosen=costs[chosen.prefetch],
        other=costs[not chosen.prefetch],
        prefetch=chosen.prefetch,
        learned=learned(store, backend.name),
    )
