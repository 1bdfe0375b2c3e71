"""Refusals in the JSON shape of the service.

Statuses and shape are what the client's source expects. IBM's error numbers could not be checked
against the live service, except for those that the client itself knows (1305): decide by status.
"""

from __future__ import annotations

import uuid
from typing import Any

_MORE = "https://quantum.cloud.ibm.com/docs/errors#"


class RefusedError(Exception):
    """A request that the service answers with an error.

    Args:
        status: The HTTP status.
        code: IBM's number for the error.
        message: What is wrong.
        solution: What to do.
        headers: Further response headers.
    """

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        solution: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.solution = solution
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """The response's JSON."""
        error = {
            "code": self.code,
            "message": self.message,
            "solution": self.solution,
            "more_info": f"{_MORE}{self.code}",
        }
        return {"errors": [error], "trace": uuid.uuid4().hex}


def unknown(what: str, name: str, code: int) -> RefusedError:
    """404."""
    return RefusedError(
        404, code, f"{what} not found: {name}.", f"Check the {what.lower()}'s name."
    )


def invalid(message: str) -> RefusedError:
    """400, for a payload that breaks the protocol."""
    return RefusedError(400, 1200, message, "Check the job's inputs.")


def unauthorized() -> RefusedError:
    """401, for a missing, expired or withdrawn token."""
    return RefusedError(401, 1200, "The access token is not valid.", "Get a new token.")


def session_closed(session_id: str) -> RefusedError:
    """400, for a job in a session that accepts none any more."""
    message = f"Session {session_id} has been closed."
    return RefusedError(400, 1217, message, "Create a new session.")


def rate_limited(seconds: float) -> RefusedError:
    """429 with the seconds to wait."""
    wait = str(max(1, round(seconds)))
    message = "Rate limit exceeded."
    return RefusedError(429, 1429, message, "Submit fewer jobs.", {"Retry-After": wait})
