"""Going on with an evaluation that was submitted: from its record alone, in any process.

The forward pass is made again from the top. Every answer that is in the ledger comes back at once;
the first that is not is submitted, and waited for or left.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass, field, replace
from typing import Any, cast

from qvlm_qiskit.errors import InputError, JobFailedError, JobPending
from qvlm_qiskit.evaluation import Exam
from qvlm_qiskit.inference.batch import Way, answer_in_one_batch
from qvlm_qiskit.inference.request import Request, questions
from qvlm_qiskit.inference.result import result_of
from qvlm_qiskit.jobs import Budget, JobStore, Policy, Recorded, Submission, recorded_backend
from qvlm_qiskit.jobs.costs.spent import costs_of
from qvlm_qiskit.jobs.ledger.pinned import PinnedCompiler
from qvlm_qiskit.jobs.ledger.run_states import RunEndedError
from qvlm_qiskit.jobs.ledger.runs import (
    JobRun,
    RunStateError,
    check_run_waits,
    close_run,
    load_run,
    retry,
)
from qvlm_qiskit.jobs.worker.worker import Report


@dataclass(frozen=True)
class Waiting:
    """How jobs are waited for.

    Attributes:
        policy: How patient to be.
        report: Called between two looks at the jobs, with those that are waited for.
    """

    policy: Policy = field(default_factory=Policy)
    report: Report | None = None


def continue_evaluation(
    store: JobStore,
    identifier: str,
    *,
    detach: bool = False,
    budget: Budget | None = None,
    waiting: Waiting | None = None,
) -> JobRun:
    """Go on with a run until its end; detached, until its next jobs are accepted.

    Args:
        store: The ledger.
        identifier: The run's id, or the beginning of it.
        detach: Don't wait for jobs.
        budget: Instead of the run's own.
        waiting: How patient to be, and who is told about it.

    Raises:
        RunFolderError: The model or the questions have changed since.
        BudgetError: The next job would cost too much; the run is left waiting.
        BackendError: The machine was calibrated again, and the circuits' estimated success fell by
            more than the run's `replan_if`; the run is left waiting.
        JobFailedError: A job ended without results, now or before.
    """
    found = load_run(store, identifier)
    if found.state in ("failed", "cancelled"):
        why = f": {found.error}" if found.error else ""
        raise JobFailedError(
            f"run {found.id} is {found.state}{why} (qvlm jobs retry {found.id} makes new attempts)"
        )
    if found.state == "done":
        return found
    return _Driver(store, found, detach, budget, waiting or Waiting()).drive()


def retry_evaluation(
    store: JobStore,
    identifier: str,
    *,
    detach: bool = False,
    budget: Budget | None = None,
    waiting: Waiting | None = None,
) -> JobRun:
    """Go on with a run, with one new attempt at each job that has ended without results so far.

    See `continue_evaluation` for the arguments and errors.

    Raises:
        InputError: The run is done.
    """
    found = load_run(store, identifier)
    if found.state == "done":
        raise InputError(f"run {found.id} is done: there is nothing to attempt again")
    if found.state != "waiting":
        found = close_run(store, found, "waiting")
    return _Driver(store, found, detach, budget, waiting or Waiting()).drive(
        retry_until=store.now()
    )


class _Driver:
    """One process's work on a run."""

    def __init__(
        self, store: JobStore, run: JobRun, detach: bool, budget: Budget | None, waiting: Waiting
    ) -> None:
        self.store, self.run, self.detach, self.reported = store, run, detach, waiting.report
        self.request = Request.of(run)
        self.folder = self.request.open_run()
        options = self.request.options
        if budget is not None:
            options = replace(options, budget=budget)
        backend = self.request.open_backend(store)
        pinned = isinstance(backend.compiler, PinnedCompiler)
        self.drift = cast(PinnedCompiler, backend.compiler).drift() if pinned else None
        if self.drift is not None:
            self.drift.check(options.replan_if)
        # Jobs elsewhere are left as soon as they are sent, so that those that don't depend on each
        # other wait together; jobs of this computer run inside this process if nobody leaves it.
        leave = detach or backend.service is not None
        self.backend = recorded_backend(
            backend,
            store,
            options.recording(run=run.id, detach=leave, policy=waiting.policy, report=self._report),
        )
        self.recorded = cast(Recorded, self.backend.device)

    def drive(self, retry_until: float | None = None) -> JobRun:
        """Make the forward pass until it ends, or its jobs are sent, or another process ends it."""
        try:
            return self._driven(retry_until)
        except RunEndedError:
            self.recorded.worker.close(self.run.id)
            other = load_run(self.store, self.run.id)
            if other.state == "done":  # by the same answers
                return other
            raise

    def _driven(self, retry_until: float | None) -> JobRun:
        model = self.folder.answering_model()
        self.request.check_model(self.folder)  # again: a file may have changed while it was read
        samples = questions(self.folder, self.request.options.limit)
        self.request.check_questions(samples)
        options = self.request.options
        metrics = options.judging()
        exam = Exam(model.limited(options.max_new_tokens), samples)
        way = Way(options.prefetch, metrics.need_tokens)
        while True:
            started = time.perf_counter()
            try:
                with model.run_on(self.backend):
                    found, material = answer_in_one_batch(exam, way)
            except RunEndedError:
                raise
            except JobPending as pending:
                if self.detach:
                    return load_run(self.store, self.run.id)
                self.recorded.worker.finish(pending.submissions, report=self._report)
            except JobFailedError as failed:
                if not self._attempted_again(failed.submissions, retry_until):
                    self._fail(failed)
                    raise
            else:
                seconds = time.perf_counter() - started
                result = result_of(found, samples, self.backend, seconds)
                if self.drift is not None and not math.isclose(*astuple(self.drift)):
                    result["drift"] = asdict(self.drift)
                if options.metrics:
                    result |= metrics.measure(material).as_dict()
                return self._finish(result)

    def _attempted_again(self, submissions: Sequence[str], until: float | None) -> bool:
        """New attempts at what had ended when the user asked for them; whether there are any."""
        if until is None:
            return False
        ended = [self.store.submission(identifier) for identifier in submissions]
        old = [submission for submission in ended if submission.updated_at <= until]
        for submission in old:
            retry(self.store, submission, self.run.id)
        return bool(old)

    def _report(self, submissions: list[Submission]) -> None:
        """Called between two looks at the jobs: a run that was cancelled is waited for no more."""
        if self.reported is not None:
            self.reported(submissions)
        check_run_waits(self.store, self.run)

    def _fail(self, error: JobFailedError) -> None:
        with suppress(RunStateError):  # a run that was cancelled meanwhile stays cancelled
            close_run(self.store, self.run, "failed", error=str(error))
        self.recorded.worker.close(self.run.id)

    def _finish(self, result: dict[str, Any]) -> JobRun:
        self.recorded.worker.close(self.run.id)
        costs = costs_of(self.store, self.run, self.recorded.asked)
        try:
            return close_run(self.store, self.run, "done", result={**result, "costs": costs})
        except RunStateError:
            check_run_waits(self.store, self.run)  # raises what `drive` answers
            raise
