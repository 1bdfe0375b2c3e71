"""Going on with an evaluation that was submitted: from its record alone, in any process.

The forward pass is made again from the top. Every answer that is in the ledger comes back at once;
the first that is not is submitted, and waited for or left.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

from qvlm_qiskit.backends import Backend
from qvlm_qiskit.data import Sample
from qvlm_qiskit.errors import InputError, JobFailedError, JobPending
from qvlm_qiskit.evaluation import Evaluation
from qvlm_qiskit.inference.plan import (
    EvaluationPlan,
    answer_in_one_batch,
    questions,
    start_evaluation,
)
from qvlm_qiskit.inference.request import Request, SubmitOptions
from qvlm_qiskit.jobs import Budget, JobStore, Policy, Recorded, recorded_backend
from qvlm_qiskit.jobs.costs.usage import UNSENT, executions_of
from qvlm_qiskit.jobs.ledger.records import Submission
from qvlm_qiskit.jobs.ledger.run_states import RunEndedError
from qvlm_qiskit.jobs.ledger.runs import (
    JobRun,
    RunStateError,
    check_run_waits,
    close_run,
    load_run,
    retry,
    submissions_of,
)
from qvlm_qiskit.jobs.worker.worker import Report
from qvlm_qiskit.runs import Run


def submit_evaluation(
    run: Run,
    backend: Backend,
    store: JobStore,
    options: SubmitOptions | None = None,
    *,
    plan: EvaluationPlan | None = None,
    detach: bool = False,
    report: Report | None = None,
) -> JobRun:
    """Answer a run's held-out questions by jobs that are never lost or repeated.

        run = Run.open(Path("runs/demo"))
        store = JobStore("runs/jobs")
        device = open_backend("noisy:fake_torino", shots=500, seed=0)
        job = submit_evaluation(run, device, store, SubmitOptions(limit=20), detach=True)
        …
        print(continue_evaluation(store, job.id).result["accuracy"])

    Args:
        run: The trained run.
        backend: From `open_backend`, with a seed where its values are to be repeatable.
        store: The ledger.
        options: What is asked.
        plan: From `plan_evaluation` with the same arguments, where it is known already.
        detach: Return as soon as the first jobs are accepted, instead of at the end.
        report: Called with the submissions that are waited for.

    Returns:
        The run's record; its state is "done", with a result, or "waiting".

    Raises:
        BudgetError: It would cost too much; nothing was sent.
        JobFailedError: A job ended without results.
    """
    begun = start_evaluation(run, backend, store, options, plan)
    return continue_evaluation(store, begun.id, detach=detach, report=report)


def continue_evaluation(
    store: JobStore,
    identifier: str,
    *,
    detach: bool = False,
    budget: Budget | None = None,
    policy: Policy | None = None,
    report: Report | None = None,
) -> JobRun:
    """Go on with a run until its end; detached, until its next jobs are accepted.

    Args:
        store: The ledger.
        identifier: The run's id, or the beginning of it.
        detach: Don't wait for jobs.
        budget: Instead of the run's own.
        policy: How patient to be.
        report: Called with the submissions that are waited for.

    Raises:
        RunFolderError: The model or the questions have changed since.
        BudgetError: The next job would cost too much; the run is left waiting.
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
    return _Driver(store, found, detach, budget, policy, report).drive()


def retry_evaluation(
    store: JobStore,
    identifier: str,
    *,
    detach: bool = False,
    budget: Budget | None = None,
    policy: Policy | None = None,
    report: Report | None = None,
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
    return _Driver(store, found, detach, budget, policy, report).drive(retry_until=store.now())


class _Driver:
    """One process's work on a run."""

    def __init__(
        self,
        store: JobStore,
        run: JobRun,
        detach: bool,
        budget: Budget | None,
        policy: Policy | None,
        report: Report | None,
    ) -> None:
        self.store, self.run, self.detach, self.reported = store, run, detach, report
        self.request = Request.of(run)
        self.folder = self.request.open_run()
        options = self.request.options
        if budget is not None:
            options = replace(options, budget=budget)
        backend = self.request.open_backend(store)
        # Jobs elsewhere are left as soon as they are sent, so that those that don't depend on each
        # other wait together; jobs of this computer run inside this process if nobody leaves it.
        leave = detach or backend.service is not None
        self.backend = recorded_backend(
            backend,
            store,
            options.recording(
                run=run.id, detach=leave, policy=policy or Policy(), report=self._report
            ),
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
        model, processor = self.folder.model(), self.folder.processor()
        self.request.check_model(self.folder)  # again: a file may have changed while it was read
        samples = questions(self.folder, self.request.options.limit)
        self.request.check_questions(samples)
        while True:
            started = time.perf_counter()
            try:
                with model.run_on(self.backend):
                    ahead = self.request.options.prefetch
                    found = answer_in_one_batch(model, processor, samples, ahead)
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
                return self._finish(found, samples, time.perf_counter() - started)

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

    def _finish(self, found: Evaluation, samples: Sequence[Sample], seconds: float) -> JobRun:
        self.recorded.worker.close(self.run.id)
        result = {
            **found.as_dict(),
            "questions": [
                {"kind": s.kind, "question": s.question, "expected": s.answer, "answer": answer}
                for s, answer in zip(samples, found.answers, strict=True)
            ],
            "backend": self.backend.describe(),
            "seconds_replay": round(seconds, 2),
            "costs": self._costs(),
        }
        try:
            return close_run(self.store, self.run, "done", result=result)
        except RunStateError:
            check_run_waits(self.store, self.run)  # raises what `drive` answers
            raise

    def _costs(self) -> Mapping[str, Any]:
        """What was bought for the run, and what the ledger had already."""
        own = {s.id: s for s in submissions_of(self.store, self.run)}
        sources: dict[str, int] = {}
        for row in self.store.find_rows(self.recorded.asked).values():
            sources[row.submission] = sources.get(row.submission, 0) + 1
        saved_rows, saved_executions, saved_seconds = 0, 0.0, 0.0
        for identifier, rows in sources.items():
            if identifier in own:
                continue
            other = self.store.submission(identifier)
            share = rows / other.rows
            saved_rows += rows
            saved_executions += share * (executions_of(self.store, other) or 0)
            saved_seconds += share * (other.seconds_used or other.seconds_estimated or 0.0)
        return {
            "jobs": sum(s.state not in UNSENT for s in own.values()),
            "rows": sum(sources.values()),
            "rows_saved": saved_rows,
            "executions_saved": round(saved_executions),
            "seconds_saved": saved_seconds,
            "submissions": sorted(sources),
        }
