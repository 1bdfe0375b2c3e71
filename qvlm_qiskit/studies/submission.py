"""An evaluation as a run of jobs: what it would cost, and its beginning.

What is written down at the beginning is all that any process needs to go on with it
(`studies.resumption`): the run folder with the checksums of its model, the backend with its
options, the compiled circuits, and the user's limits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

from qvlm_qiskit.backends import Backend, Preflight, open_backend
from qvlm_qiskit.backends.pinned import compiled_bytes, pinned
from qvlm_qiskit.backends.preflight import exact_estimator, preflight_calls
from qvlm_qiskit.backends.rehearse import blocks_of, rehearse
from qvlm_qiskit.data import DigitCanvases, Sample
from qvlm_qiskit.errors import (
    BackendError,
    BudgetError,
    InputError,
    LedgerError,
    RunFolderError,
    UnknownNameError,
)
from qvlm_qiskit.evaluation import Evaluation, evaluate
from qvlm_qiskit.jobs import Budget, JobStore
from qvlm_qiskit.jobs.forecast import Forecast, forecast
from qvlm_qiskit.jobs.machines import ANY_CALIBRATION, Recording, reopening, row_context
from qvlm_qiskit.jobs.runs import JobRun, new_run
from qvlm_qiskit.jobs.sessions import Mode
from qvlm_qiskit.model import HybridVLM, HybridVLMProcessor
from qvlm_qiskit.progress import Track, silent
from qvlm_qiskit.runs import Run
from qvlm_qiskit.studies.known_rows import asked_once
from qvlm_qiskit.studies.prefetch import prefetch
from qvlm_qiskit.studies.preflight import smaller_recipes

FORMAT = "qvlm-evaluation"
VERSION = 1


@dataclass(frozen=True)
class SubmitOptions:
    """What a user asks of an evaluation by jobs.

    Attributes:
        limit: Number of held-out questions; all go through the model in one batch.
        prefetch: Ask for every PAQM row that generation may need at the beginning.
        budget: What all jobs together may cost.
        mode: "batch" or "session" on machines that have them; "job" sends each by itself.
        calibration: "any": answers stay valid when the machine is calibrated again; another text,
            such as a date, makes them answers of that calibration only.
        fresh: Another text asks for new samples instead of those in the ledger.
    """

    limit: int = 200
    prefetch: bool = False
    budget: Budget = field(default_factory=Budget)
    mode: Mode = "batch"
    calibration: str = ANY_CALIBRATION
    fresh: str = ""

    def __post_init__(self) -> None:
        """Refuse what can't be submitted.

        Raises:
            InputError: No questions, or another mode.
        """
        if self.limit < 1:
            raise InputError(f"an evaluation needs at least 1 question, got {self.limit}")
        if self.mode not in get_args(Mode):
            raise UnknownNameError("mode", self.mode, get_args(Mode))

    def recording(self, **others: Any) -> Recording:
        """How the ledger keeps the jobs."""
        return Recording(
            budget=self.budget, mode=self.mode, calibration=self.calibration, fresh=self.fresh,
            **others,
        )  # fmt: skip


@dataclass(frozen=True)
class Request:
    """The record of an evaluation, from which any process goes on.

    Attributes:
        run: The run folder, absolute.
        model: SHA-256 of the files of its model, by name.
        backend: Arguments of `open_backend`.
        options: What was asked.
        circuits: The blob of compiled circuits; None where nothing is compiled.
        expected: Jobs, rows, executions and QPU seconds that were planned.
    """

    run: str
    model: Mapping[str, str]
    backend: Mapping[str, Any]
    options: SubmitOptions
    circuits: str | None
    expected: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"format": FORMAT, "version": VERSION, **asdict(self)}

    @classmethod
    def of(cls, run: JobRun) -> Request:
        """Read a run's request.

        Raises:
            LedgerError: It is of another kind or version.
        """
        given = dict(run.request)
        kind, version = given.pop("format", None), given.pop("version", None)
        if kind != FORMAT or version != VERSION:
            raise LedgerError(
                f"run {run.id} is {kind!r} of version {version!r}; this release goes on with "
                f"{FORMAT!r} of version {VERSION}"
            )
        options = dict(given.pop("options"))
        budget = Budget(**options.pop("budget"))
        return cls(options=SubmitOptions(budget=budget, **options), **given)

    def open_run(self) -> Run:
        """The run folder, if its model is the one that was submitted.

        Raises:
            RunFolderError: It is gone, or a file of the model has changed.
        """
        run = Run.open(Path(self.run))
        found = model_digests(run)
        for name in sorted({*found, *self.model}):
            if found.get(name) != self.model.get(name):
                raise RunFolderError(
                    f"{self.run} is not what was submitted: model/{name} has changed since; its "
                    "jobs can't be gone on with (submit it anew)"
                )
        return run

    def open_backend(self, store: JobStore) -> Backend:
        """The backend, with the circuits that were compiled at the beginning.

        Raises:
            QVLMError: It can't be opened, or the stored circuits are damaged.
        """
        backend = open_backend(**self.backend)
        if self.circuits is None or backend.compiler is None:
            return backend
        return replace(backend, compiler=pinned(backend.compiler, store.blobs.get(self.circuits)))


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


def model_digests(run: Run) -> dict[str, str]:
    """SHA-256 in hexadecimal of every file of a run's model."""
    files = sorted(path for path in (run.path / "model").iterdir() if path.is_file())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def questions(run: Run, limit: int) -> list[Sample]:
    """The held-out questions of an evaluation."""
    return list(DigitCanvases("test", limit, run.seed))


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
        BudgetError: The plan is beyond the budget; nothing is written.
        BackendError: The mitigation can't run there.
    """
    chosen = options or SubmitOptions()
    planned = plan or plan_evaluation(run, backend, chosen, store)
    _check_budget(chosen.budget, planned.chosen)
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
