"""The states of a submission, and which may follow which.

    intended ─┬→ posting ─┬→ queued → running → completed → stored → answered
              │           ├→ intended   (surely not accepted; sent again later)
              │           ├→ refused    (surely not accepted, and never will be)
              │           └→ unknown ─┬→ queued     (found by its tag)
              │                       ├→ intended   (a complete search after the grace period
              │                       │               found nothing)
              └→ withdrawn            └→ refused    (likewise, and the service had refused it)
    queued, running → failed | cancelled;  stored → completed (its file was damaged: fetched again)
    completed → failed (the service does not know it any more)

A state is written before the step that it announces: whoever finds ``posting`` without a living
owner knows that a request may or may not have left, and nothing but a search by tag leads out.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a submission is."""

    INTENDED = "intended"
    POSTING = "posting"
    UNKNOWN = "unknown"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    STORED = "stored"
    ANSWERED = "answered"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"

    @property
    def final(self) -> bool:
        """Whether nothing will change any more by itself."""
        return self in FINAL

    @property
    def ended_without_results(self) -> bool:
        """Whether it is final and has no results."""
        return self in FINAL and self is not State.ANSWERED

    @property
    def meaning(self) -> str:
        """One line for a user."""
        return MEANINGS[self]


FINAL = frozenset({State.ANSWERED, State.REFUSED, State.FAILED, State.CANCELLED, State.WITHDRAWN})

NEXT: dict[State, frozenset[State]] = {
    State.INTENDED: frozenset({State.POSTING, State.WITHDRAWN}),
    State.POSTING: frozenset({State.QUEUED, State.INTENDED, State.REFUSED, State.UNKNOWN}),
    State.UNKNOWN: frozenset({State.QUEUED, State.INTENDED, State.REFUSED}),
    State.QUEUED: frozenset({State.RUNNING, State.COMPLETED, State.FAILED, State.CANCELLED}),
    State.RUNNING: frozenset({State.QUEUED, State.COMPLETED, State.FAILED, State.CANCELLED}),
    State.COMPLETED: frozenset({State.STORED, State.FAILED}),
    State.STORED: frozenset({State.ANSWERED, State.COMPLETED}),
    State.ANSWERED: frozenset(),
    State.REFUSED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
    State.WITHDRAWN: frozenset(),
}

MEANINGS = {
    State.INTENDED: "recorded, not sent",
    State.POSTING: "being sent",
    State.UNKNOWN: "sent, fate unknown: searched by tag",
    State.QUEUED: "accepted by the server",
    State.RUNNING: "running",
    State.COMPLETED: "finished there, not fetched",
    State.STORED: "raw result on disk",
    State.ANSWERED: "done",
    State.REFUSED: "refused by the server",
    State.FAILED: "failed on the server",
    State.CANCELLED: "cancelled",
    State.WITHDRAWN: "withdrawn before it was sent",
}
