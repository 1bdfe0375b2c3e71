"""The record of an evaluation by jobs: all that any process needs to go on with it.

The run folder with the checksums of its model and of the questions, the backend with its options,
the compiled circuits, and the user's limits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

from qvlm_qiskit.backends import Backend, open_backend
from qvlm_qiskit.backends.preflight.rehearse import blocks_of
from qvlm_qiskit.data import Sample
from qvlm_qiskit.errors import InputError, LedgerError, RunFolderError, UnknownNameError
from qvlm_qiskit.evaluation import Metrics
from qvlm_qiskit.jobs import Budget, JobStore
from qvlm_qiskit.jobs.ledger.pinned import compiled_bytes
from qvlm_qiskit.jobs.ledger.runs import JobRun
from qvlm_qiskit.jobs.recording import ANY_CALIBRATION, Recording, reopening, with_circuits
from qvlm_qiskit.jobs.worker.sessions import Mode
from qvlm_qiskit.recipes import MAX_NEW_TOKENS, METRICS
from qvlm_qiskit.runs import Run, model_digests

FORMAT = "qvlm-evaluation"
VERSION = 2
READS = (1, 2)
"""Version 1 had no checksum of the questions; they are taken from the run folder as it is."""


@dataclass(frozen=True)
class SubmitOptions:
    """What a user asks of an evaluation by jobs.

    Attributes:
        limit: Number of held-out questions; all go through the model in one batch.
        prefetch: Ask for every row of the text block that generation may need at the beginning.
        budget: What all jobs together may cost.
        mode: "batch" or "session" on machines that have them; "job" sends each by itself.
        calibration: "any": answers stay valid when the machine is calibrated again; another text,
            such as a date, makes them answers of that calibration only.
        fresh: Another text asks for new samples instead of those in the ledger.
        metrics: Names of metrics that the answers are judged by, beside exact match.
        caption_tokenizer: Of metrics of captions.
        max_new_tokens: Longest answer in tokens.
        replan_if: Nothing more is sent once the circuits' estimated success has fallen by more than
            this since they were compiled, because the machine was calibrated again.
    """

    limit: int = 200
    prefetch: bool = False
    budget: Budget = field(default_factory=Budget)
    mode: Mode = "batch"
    calibration: str = ANY_CALIBRATION
    fresh: str = ""
    metrics: tuple[str, ...] = ()
    caption_tokenizer: str = "auto"
    max_new_tokens: int = MAX_NEW_TOKENS
    replan_if: float | None = None

    def __post_init__(self) -> None:
        """Refuse what can't be submitted.

        Raises:
            InputError: No questions, another mode, an unknown metric, or no token in an answer.
        """
        if self.limit < 1:
            raise InputError(f"an evaluation needs at least 1 question, got {self.limit}")
        if self.mode not in get_args(Mode):
            raise UnknownNameError("mode", self.mode, get_args(Mode))
        for name in self.metrics:
            METRICS.check(name)
        if self.max_new_tokens < 1:
            raise InputError(f"an answer has at least 1 token, got {self.max_new_tokens}")
        if self.replan_if is not None and not 0 <= self.replan_if <= 1:
            raise InputError(f"replan_if is {self.replan_if!r}; it must be from 0 to 1")

    def judging(self) -> Metrics:
        """The metrics.

        Raises:
            QVLMError: One of them needs what this machine has not.
        """
        return Metrics(self.metrics, self.caption_tokenizer)

    def facts(self) -> dict[str, Any]:
        """Plain data for records; what earlier releases do not read is left out at its default."""
        found, plain = asdict(self), SubmitOptions()
        later = ("metrics", "caption_tokenizer", "max_new_tokens", "replan_if")
        return {k: v for k, v in found.items() if k not in later or v != getattr(plain, k)}

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
        model: SHA-256 of the files of its model, by path in its folder.
        backend: Arguments of `open_backend`.
        options: What was asked.
        circuits: The blob of compiled circuits; None where nothing is compiled.
        expected: Jobs, rows, executions and QPU seconds that were planned.
        questions: `questions_digest` of what is asked; None in records of version 1.
        data: Name of the data set that is asked about; None where it is the run's own.
    """

    run: str
    model: Mapping[str, str]
    backend: Mapping[str, Any]
    options: SubmitOptions
    circuits: str | None
    expected: Mapping[str, Any]
    questions: str | None = None
    data: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        found = {"format": FORMAT, "version": VERSION, **asdict(self)}
        found["options"] = self.options.facts()
        if self.data is None:  # a key that earlier releases of the version do not read
            del found["data"]
        return found

    @classmethod
    def begin(
        cls,
        run: Run,
        backend: Backend,
        options: SubmitOptions,
        store: JobStore,
        expected: Mapping[str, Any],
    ) -> Request:
        """The record of an evaluation that begins; its circuits are compiled and kept.

        Args:
            run: The trained run.
            backend: From `open_backend`, not recorded.
            options: What is asked.
            store: Takes the compiled circuits.
            expected: What is planned.
        """
        circuits = None
        if backend.compiler is not None:
            sources = [block.circuit for block in blocks_of(run.answering_model())]
            circuits = store.blobs.put(compiled_bytes(backend.compiler, sources))
        return cls(
            run=str(run.path.resolve()),
            model=model_digests(run),
            backend=dict(reopening(backend)),
            options=options,
            circuits=circuits,
            expected=expected,
            questions=questions_digest(questions(run, options.limit)),
            data=_other_data(run),
        )

    @classmethod
    def of(cls, run: JobRun) -> Request:
        """Read a run's request.

        Raises:
            LedgerError: It is of another kind or version.
        """
        given = dict(run.request)
        kind, version = given.pop("format", None), given.pop("version", None)
        if kind != FORMAT or version not in READS:
            raise LedgerError(
                f"run {run.id} is {kind!r} of version {version!r}; this release goes on with "
                f"{FORMAT!r} of versions {READS[0]} to {READS[-1]}"
            )
        options = dict(given.pop("options"))
        budget, metrics = Budget(**options.pop("budget")), tuple(options.pop("metrics", ()))
        return cls(options=SubmitOptions(budget=budget, metrics=metrics, **options), **given)

    def open_run(self) -> Run:
        """The run folder, if its model is the one that was submitted.

        Raises:
            RunFolderError: It is gone, or a file of the model, or its class, has changed.
        """
        run = Run.open(Path(self.run))
        self.check_model(run)
        return run.on(self.data)

    def check_model(self, run: Run) -> None:
        """Compare the files of a model with those that were submitted.

        Raises:
            RunFolderError: One has changed.
        """
        found = model_digests(run)
        if self.questions is None:  # version 1 left subfolders out
            found = {name: digest for name, digest in found.items() if "/" not in name}
        for name in sorted({*found, *self.model}):
            if found.get(name) != self.model.get(name):
                which = name if name.startswith("class ") else f"model/{name}"
                raise RunFolderError(self._other(f"{which} has changed since"))

    def check_questions(self, samples: Sequence[Sample]) -> None:
        """Compare questions with those that were submitted.

        Raises:
            RunFolderError: They are others.
        """
        if self.questions is not None and questions_digest(samples) != self.questions:
            raise RunFolderError(
                self._other("its questions are others (they depend on the seed in run.json)")
            )

    def _other(self, what: str) -> str:
        return (
            f"{self.run} is not what was submitted: {what}; its jobs can't be gone on with (submit "
            "it anew)"
        )

    def open_backend(self, store: JobStore) -> Backend:
        """The backend, with the circuits that were compiled at the beginning.

        Raises:
            QVLMError: It can't be opened, or the stored circuits are damaged.
        """
        return with_circuits(open_backend(**self.backend), store, self.circuits)


def _other_data(run: Run) -> str | None:
    """The data set that a run is asked about, if it is not the one in its folder."""
    own = Run.open(run.path).info.get("data")
    return None if run.info.get("data") == own else str(run.info["data"]["name"])


def questions(run: Run, limit: int) -> list[Sample]:
    """The held-out questions of an evaluation."""
    return run.samples("test", limit)


def questions_digest(samples: Sequence[Sample]) -> str:
    """SHA-256 in hexadecimal of questions, their images and accepted answers, in order."""
    digest = hashlib.sha256()
    for sample in samples:
        image = sample.image
        about = [sample.kind, sample.question, sample.answer, image.mode, list(image.size)]
        for part in (json.dumps(about).encode(), image.tobytes()):
            digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()
