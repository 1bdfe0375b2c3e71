"""What the server knows of a job, and of a submission."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .clock import iso

QUEUED, RUNNING = "Queued", "Running"
COMPLETED, FAILED, CANCELLED = "Completed", "Failed", "Cancelled"
FINAL = (COMPLETED, FAILED, CANCELLED)
MAX_TIME_EXCEEDED = 1305


@dataclass
class Outcome:
    """What running a program gave: the result's text, and how much was executed."""

    result: str
    executions: int
    logs: str = ""


@dataclass
class JobRecord:
    """One accepted job.

    Attributes:
        id: The service's identifier.
        program_id: "executor" or "estimator".
        backend: The machine's name.
        payload: The whole body of the POST.
        tags: As submitted, or as changed by `PUT /jobs/{id}/tags`.
        session_id: Of the session or batch, if any.
        created: Seconds since the epoch, like all times here.
        visible: When `GET /jobs` starts to list it.
        status: One of Queued, Running, Completed, Failed, Cancelled.
        reason: Why it failed or was cancelled.
        reason_code: IBM's number for it; 1305 for the maximum execution time.
        executions: Circuits × shots that ran.
        result_reads: How often its result was asked for.
        fate: None, or "failed" or "max_time" by an injected fault.
    """

    id: str
    program_id: str
    backend: str
    payload: dict[str, Any]
    tags: list[str]
    session_id: str | None
    created: float
    visible: float
    status: str = QUEUED
    reason: str | None = None
    reason_code: int | None = None
    running: float | None = None
    finished: float | None = None
    executions: int = 0
    result_reads: int = 0
    result: str | None = None
    logs: str = ""
    fate: str | None = None
    fate_reason: str | None = None

    @property
    def final(self) -> bool:
        """Whether its state can't change any more."""
        return self.status in FINAL

    @property
    def private(self) -> bool:
        """Whether its result can be read once only."""
        return bool(self.payload.get("private"))

    @property
    def max_seconds(self) -> float | None:
        """The submitter's `max_execution_time`."""
        cost = self.payload.get("cost")
        return None if cost is None else float(cost)

    def view(self, exclude_params: bool = True) -> dict[str, Any]:
        """The service's JSON of a job."""
        state = {"status": self.status, "reason": self.reason, "reason_code": self.reason_code}
        shown: dict[str, Any] = {
            "id": self.id,
            "backend": self.backend,
            "program": {"id": self.program_id},
            "created": iso(self.created),
            "ended": iso(self.finished),
            "status": self.status,
            "state": {key: value for key, value in state.items() if value is not None},
            "tags": self.tags,
            "private": self.private,
            "cost": self.payload.get("cost"),
        }
        if self.session_id:
            shown["session_id"] = self.session_id
        if not exclude_params and not self.private:
            shown["params"] = self.payload["params"]
        return {key: value for key, value in shown.items() if value is not None}


@dataclass
class Post:
    """One `POST /jobs` that reached the server, accepted or not."""

    tags: list[str]
    faults: list[str]
    job_ids: list[str] = field(default_factory=list)
