"""Sessions and batches: jobs that belong together, until they are closed."""

from __future__ import annotations

import secrets
from typing import Any

from .clock import Clock, iso
from .errors import RefusedError, session_closed, unknown


class Sessions:
    """All sessions of the server.

    Args:
        clock: The server's time.
        plan: "open" refuses sessions (mode "dedicated") and takes batches; any other takes both.
    """

    def __init__(self, clock: Clock, plan: str) -> None:
        self.clock = clock
        self.plan = plan
        self._sessions: dict[str, dict[str, Any]] = {}

    def create(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Open a session or a batch.

        Raises:
            RefusedError: A session under the open plan.
        """
        mode = payload.get("mode", "dedicated")
        if self.plan == "open" and mode == "dedicated":
            message = "You are not authorized to run a session when using the open plan."
            raise RefusedError(400, 1352, message, "Use job or batch mode.")
        with self.clock.condition:
            now = iso(self.clock.now())
            session = {
                "id": f"session-{secrets.token_hex(8)}",
                "backend_name": payload.get("backend"),
                "mode": mode,
                "state": "open",
                "accepting_jobs": True,
                "max_ttl": payload.get("max_ttl", 28800),
                "active_ttl": payload.get("max_ttl", 28800),
                "interactive_ttl": 60 if mode == "dedicated" else 1,
                "started_at": now,
                "elapsed_time": 0,
                "timestamps": [{"status": "open", "timestamp": now}],
            }
            self._sessions[str(session["id"])] = session
        return session

    def get(self, session_id: str) -> dict[str, Any]:
        """A session's details.

        Raises:
            RefusedError: 404 for an unknown one.
        """
        with self.clock.condition:
            if session_id not in self._sessions:
                raise unknown("Session", session_id, 1290)
            return dict(self._sessions[session_id])

    def check_open(self, session_id: str) -> None:
        """Accept a session that takes jobs.

        Raises:
            RefusedError: 404 for an unknown one, 400 with code 1217 for a closed one.
        """
        if not self.get(session_id)["accepting_jobs"]:
            raise session_closed(session_id)

    def stop_accepting(self, session_id: str) -> None:
        """No more jobs; those that are queued still run."""
        self._end(session_id, "pending_closed")

    def close(self, session_id: str) -> None:
        """No more jobs; the caller cancels those that are queued."""
        self._end(session_id, "closed")

    def _end(self, session_id: str, state: str) -> None:
        self.get(session_id)
        with self.clock.condition:
            now = iso(self.clock.now())
            session = self._sessions[session_id]
            session.update(state=state, accepting_jobs=False, closed_at=now)
            session["timestamps"].append({"status": state, "timestamp": now})
