"""The record of an evaluation by jobs: all that any process needs to go on with it.

The run folder with the checksums of its model, the backend with its options, the compiled
circuits, and the user's limits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from qvlm_qiskit.backends import Backend, open_backend
from qvlm_qiskit.backends.pinned import pinned
from qvlm_qiskit.errors import InputError, LedgerError, RunFolderError, UnknownNameError
from qvlm_qiskit.jobs import Budget, JobStore
from qvlm_qiskit.jobs.machines import ANY_CALIBRATION, Recording
from qvlm_qiskit.jobs.runs import JobRun
from qvlm_qiskit.jobs.sessions import Mode
from qvlm_qiskit.runs import Run

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


def model_digests(run: Run) -> dict[str, str]:
    """SHA-256 in hexadecimal of every file of a run's model."""
    files = sorted(path for path in (run.path / "model").iterdir() if path.is_file())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
