"""An evaluation as a run of jobs: what it would cost, and its beginning.

What is written down at the beginning (`studies.request`) is all that any process needs to go on
with it (`studies.resumption`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from qvlm_qiskit.backends import Backend, Preflight
from qvlm_qiskit.backends.preflight.preflight import exact_estimator, preflight_calls
from qvlm_qiskit.backends.preflight.rehearse import blocks_of, rehearse
from qvlm_qiskit.data import Sample
from qvlm_qiskit.errors import BackendError, BudgetError
from qvlm_qiskit.evaluation import Evaluation, evaluate
from qvlm_qiskit.inference.prefetch import prefetch
from qvlm_qiskit.inference.preflight import smaller_recipes
from qvlm_qiskit.inference.request import (
    Request,
    SubmitOptions,
    model_digests,
    questions_digest,
)
from qvlm_qiskit.inference.same_rows import asked_once
from qvlm_qiskit.jobs import Budget, JobStore
from qvlm_qiskit.jobs.costs.forecast import Forecast, forecast
from qvlm_qiskit.jobs.ledger.pinned import compiled_bytes
from qvlm_qiskit.jobs.ledger.runs import JobRun, new_run
from qvlm_qiskit.jobs.recording import reopening, row_context, service_for
from qvlm_qiskit.jobs.services.interface import JobService
from qvlm_qiskit.model import HybridVLM, HybridVLMProcessor
from qvlm_qiskit.progress import Track, silent
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
    """

    report: Preflight
    instead: tuple[str, ...]
    chosen: Forecast
    other: Forecast
    prefetch: bool

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
        }


def questions(run: Run, limit: int) -> list[Sample]:
    """The held-out questions of an evaluation."""
    return run.samples("test", limit)


def answer_in_one_batch(
    model: HybridVLM, processor: HybridVLMProcessor, samples: Sequence[Sample], ahead: bool
) -> Evaluation:
    """Answer all questions in one forward pass per word, asking for every row once.

    Args:
        model: On any estimator.
        processor: The one it was trained with.
        samples: The questions.
        ahead: Whether to `prefetch`.

    Raises:
        JobPending: A detached estimator's answers are not there yet.
    """
    with asked_once(model):
        if ahead:
            prefetch(model, processor, samples)
        return evaluate(model, processor, samples, batch_size=len(samples))


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
        InputError: The model has no quantum layer.
    """
    chosen = options or SubmitOptions()
    model, processor = run.model(), run.processor()
    samples, exact = questions(run, chosen.limit), exact_estimator()
    context = row_context(backend.device_description(), chosen.recording())
    found, costs = {}, {}
    with track("rehearsal", 2) as report_progress:
        for done, ahead in enumerate((True, False), 1):
            way = partial(answer_in_one_batch, model, processor, samples, ahead)
            found[ahead] = rehearse(model, way, exact)
            report_progress(done)
    report = preflight_calls(backend, model, found[chosen.prefetch], [backend.options.mitigation])
    refusals = [block.refused for block in report.blocks]
    if refused := [text for text in (*refusals, report.levels[0].refused) if text]:
        raise BackendError(f"{backend.name} can't run it: {refused[0]}")
    for ahead, calls in found.items():
        costs[ahead] = forecast(store, backend, calls, context)
    return EvaluationPlan(
        report=report,
        instead=tuple(smaller_recipes(model, backend)),
        chosen=costs[chosen.prefetch],
        other=costs[not chosen.prefetch],
        prefetch=chosen.prefetch,
    )


def start_evaluation(
    run: Run,
    backend: Backend,
    store: JobStore,
    options: SubmitOptions | None = None,
    plan: EvaluationPlan | None = None,
) -> JobRun:
    """Write down an evaluation; nothing is sent before `continue_evaluation`.

    Args:
        run: The trained run.
        backend: From `open_backend`, not recorded.
        store: The ledger.
        options: What is asked.
        plan: From `plan_evaluation` with the same arguments, where it is known already.

    Raises:
        BudgetError: The plan is beyond the budget, or what the account has left; nothing is
            written.
        UnreachableError: The service does not say what is left.
        BackendError: The mitigation can't run there.
    """
    chosen = options or SubmitOptions()
    planned = plan or plan_evaluation(run, backend, chosen, store)
    _check_budget(chosen.budget, planned.chosen)
    _check_allowance(service_for(backend, store, chosen.recording()), planned.chosen)
    circuits = None
    if backend.compiler is not None:
        sources = [block.circuit for block in blocks_of(run.model())]
        circuits = store.blobs.put(compiled_bytes(backend.compiler, sources))
    request = Request(
        run=str(run.path.resolve()),
        model=model_digests(run),
        backend=dict(reopening(backend)),
        options=chosen,
        circuits=circuits,
        expected=asdict(planned.chosen),
        questions=questions_digest(questions(run, chosen.limit)),
    )
    return new_run(store, request.as_dict())


def _check_budget(budget: Budget, planned: Forecast) -> None:
    """Refuse a plan as a whole: a run that is stopped half-way has paid for nothing.

    Raises:
        BudgetError: It costs more, or nobody knows.
    """
    for what, limit, needed in (
        ("QPU s", budget.seconds, planned.seconds),
        ("executions", budget.executions, planned.executions),
    ):
        if limit is None or planned.jobs == 0:
            continue
        if needed is None:
            raise BudgetError(
                f"the {what} of this run are not known beforehand, so it can't be held to a budget "
                f"of {limit:,}"
            )
        if needed > limit:
            raise BudgetError(
                f"the run needs about {needed:,.1f} {what} in {planned.jobs} jobs; the budget is "
                f"{limit:,}: nothing was sent"
            )


def _check_allowance(service: JobService, planned: Forecast) -> None:
    """Refuse a plan that the account can't pay; each job is checked again before it is sent.

    Raises:
        BudgetError: It costs more than is left.
        UnreachableError: No answer.
    """
    if not service.charges or planned.jobs == 0:
        return
    left = service.allowance()
    if left.limit_reached:
        raise BudgetError(
            f"the account's usage limit on {service.machine} is reached: nothing was sent"
        )
    if left.remaining_seconds is None or planned.seconds is None:
        return
    if planned.seconds > left.remaining_seconds:
        raise BudgetError(
            f"the run needs about {planned.seconds:,.1f} QPU s in {planned.jobs} jobs; the account "
            f"has {left.remaining_seconds:,.1f} s left: nothing was sent"
        )
